-- Which of these runs have messages. Looked up run by run: joined, the whole inbox may be read where an ANALYZE
-- found it empty.
select wanted.run_id as "run_id!"
from unnest($1::uuid[]) as wanted (run_id)
cross join lateral (select from stepwell.inbox i where i.run_id = wanted.run_id limit 1) as heard
