-- For each step of these runs the row of its newest generation.
select s.run_id as "run_id!", s.step as "step!", s.item as "item!", s.generation as "generation!",
       s.name as "name!", s.kind as "kind!", s.status::text as "status!", s.attempt as "attempt!",
       s.max_attempts as "max_attempts!", s.input::text as input, s.output::text as output, s.error::text as error,
       s.started_at, s.finished_at, s.wake_at, s.child_run_id
from unnest($1::uuid[]) as wanted (run_id)
cross join lateral (
    select distinct on (step, item) *
    from stepwell.step t
    where t.run_id = wanted.run_id
    order by step, item, generation desc
) as s
