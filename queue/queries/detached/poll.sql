-- Leases external work of one topic. $2: how many, $3: who polls, $4: for how many seconds, $5:
-- bytes of input that one answer carries, at least one item's. A lease that is over counts as none, but
-- for work that may be done once at most. While a run is paused, nothing of it begins.
with due as materialized (
    select d.run_id, d.step, d.item, d.due_at, octet_length(d.call::text) as bytes
    from stepwell.detached d
    where d.kind = 'external' and d.lane = $1 and d.worker_id is null and d.due_at <= clock_timestamp()
      and not (d.once and d.lease > 0)
      and not coalesce((select j.paused from stepwell.job j where j.run_id = any (array[d.run_id])), false)
    order by d.due_at
    limit $2
    for update of d skip locked
),
chosen as (
    select run_id, step, item
    from (select *, sum(bytes) over (order by due_at, run_id, step, item) - bytes as before from due) as d
    where before < $5::bigint
)
update stepwell.detached d
set lease = d.lease + 1, holder = $3, due_at = clock_timestamp() + make_interval(secs => $4::float8)
from chosen c
where d.run_id = any (array[c.run_id]) and d.step = c.step and d.item = c.item
returning d.run_id, d.step, d.item, d.generation, d.attempt, d.lease, d.name, d.workflow, d.due_at,
          d.call::text as "call!"
