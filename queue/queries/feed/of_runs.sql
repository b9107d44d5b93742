-- The next records of each watched run, all runs of a process in one statement. $2: the number that each
-- is read after, $3: the smallest id its records can have, so that older partitions are passed over, $4:
-- records of each. `last`: the run ended with it and nobody has retried it since.
select w.run_id as "run_id!", w.after as "after!",
       a.id as "id!", a.at as "at!", a.entity_type as "entity_type!", a.sequence as "sequence!", a.step,
       a.action as "action!", a.before::text as before, a.after::text as after_value, a.detail::text as detail,
       a.actor as "actor!", a.request_id, r.workflow_id as "workflow_id?", r.workflow_name as "workflow_name?",
       (a.action in ('run.completed', 'run.failed', 'run.cancelled', 'run.timed_out')
        and coalesce(r.sequence = a.sequence, true)) as "last!"
from (select unnest($1::uuid[]) as run_id, unnest($2::bigint[]) as after, unnest($3::uuid[]) as from_id) as w
cross join lateral (
    select * from stepwell.audit t
    where t.entity_id = w.run_id and t.sequence > w.after and t.id >= w.from_id
      and t.entity_type in ('run', 'step')
    order by t.sequence
    limit $4
) as a
left join stepwell.run r on r.id = any (array[w.run_id])
order by w.run_id, w.after, a.sequence
