-- Takes attempts for a worker, from each of its queues in turn of their age. $3: queues, $4: how many.
-- While a run or the queue is paused, nothing of it begins. The worker's row is locked against being marked dead.
-- Attempts whose workers died are taken few at a time, as one of them may be why: $5: those that one worker died with,
-- $6: those that more did.
with owner as materialized (
    select id from stepwell.worker
    where id = $1 and epoch = $2 and status = 'alive'
    for key share
),
once as materialized (
    select d.run_id, d.step, d.item
    from stepwell.detached d
    where d.kind = 'queue' and d.lane = any ($3) and d.worker_id is null and d.deaths > 0 and d.deaths = 1
      and not coalesce((select j.paused from stepwell.job j where j.run_id = any (array[d.run_id])), false)
      and not exists (select from stepwell.queue q where q.name = d.lane and q.paused_at is not null)
    order by d.due_at
    limit $5
    for update of d skip locked
),
often as materialized (
    select d.run_id, d.step, d.item
    from stepwell.detached d
    where d.kind = 'queue' and d.lane = any ($3) and d.worker_id is null and d.deaths > 0 and d.deaths > 1
      and not coalesce((select j.paused from stepwell.job j where j.run_id = any (array[d.run_id])), false)
      and not exists (select from stepwell.queue q where q.name = d.lane and q.paused_at is not null)
    order by d.due_at
    limit $6
    for update of d skip locked
),
fresh as materialized (
    select d.run_id, d.step, d.item
    from stepwell.detached d
    where d.kind = 'queue' and d.lane = any ($3) and d.worker_id is null and d.deaths = 0
      and not coalesce((select j.paused from stepwell.job j where j.run_id = any (array[d.run_id])), false)
      and not exists (select from stepwell.queue q where q.name = d.lane and q.paused_at is not null)
    order by d.due_at
    limit $4
    for update of d skip locked
),
chosen as materialized (
    select * from often union all select * from once union all select * from fresh
    limit $4
),
taken as (
    update stepwell.detached d
    set worker_id = o.id, lease = d.lease + 1
    from chosen c, owner o
    where d.run_id = any (array[c.run_id]) and d.step = c.step and d.item = c.item
    returning d.*
)
select exists (select from owner) as "owned!",
       t.run_id as "run_id?", t.step as "step?", t.item as "item?", t.generation as "generation?",
       t.attempt as "attempt?", t.name as "name?", t.workflow as "workflow?", t.call::text as call,
       t.timeout_ms, t.request_id, t.traceparent, t.deaths as "deaths?"
from (select) as once
left join taken t on true
