-- Writes down who comes. A run that is to be refused where there is no place has been counted before,
-- so it holds its place from now on; the others wait until a driver asks.
insert into stepwell.place (run_id, workflow_id, key, most, held)
select n.run_id, n.workflow_id, n.key, n.most, n.held
from (select unnest($1::uuid[]) as run_id, unnest($2::uuid[]) as workflow_id, unnest($3::text[]) as key,
             unnest($4::int[]) as most, unnest($5::boolean[]) as held) as n
order by n.run_id
