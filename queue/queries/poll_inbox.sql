-- Which of these runs have messages.
select wanted.run_id as "run_id!"
from unnest($1::uuid[]) as wanted (run_id)
where exists (select from stepwell.inbox i where i.run_id = wanted.run_id)
