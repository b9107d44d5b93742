-- Leases due jobs of one queue to a worker and returns them with their runs. $4, $5: ready jobs at or
-- before this place are passed over (D7); $6: so are timed jobs before this time; $8: of those that are passed
-- over, these are due. Runs whose workers died are
-- claimed by name only (queries/suspects.sql). The states are literals, so that the planner sees the partial indexes; the CTEs are
-- materialized, so that LIMIT and SKIP LOCKED happen once. The worker's row is locked against being marked
-- dead. A locked row stays where it is, so it is found again by its place; one that was just changed by
-- somebody else is not found there, and is left to the next claim, as if it were still locked. The last row
-- knows how long the search took: without the commit, which waits for the disk, and the way here and back.
with owner as materialized (
    select id from stepwell.worker
    where id = $1 and epoch = $2 and status = 'alive'
    for key share
),
ready as materialized (
    select ctid as place, run_id, rank, fresh from stepwell.job
    where state = 'ready' and queue = $3 and (rank, run_id) > ($4, $5) and deaths = 0
    order by rank, run_id
    limit $7
    for update skip locked
),
late as materialized (
    select ctid as place, run_id, rank, fresh, run_at from stepwell.job
    where state = 'timed' and queue = $3 and run_at >= $6 and run_at <= now() and deaths = 0
    order by run_at
    limit $7
    for update skip locked
),
-- Those say nothing of how far the claim has come, so they get no rank.
named as materialized (
    select ctid as place, run_id, fresh from stepwell.job
    where run_id = any ($8) and queue = $3 and (state = 'ready' or state = 'timed' and run_at <= now())
    limit $7
    for update skip locked
),
-- Ready and overdue jobs in turn, so that neither keeps the other waiting.
chosen as materialized (
    select place, run_id, rank, fresh, run_at
    from (select place, run_id, null::smallint as rank, fresh, null::timestamptz as run_at, 0 as turn from named
          union all
          select place, run_id, rank, fresh, null, row_number() over () from ready
          union all
          select place, run_id, rank, fresh, run_at, row_number() over () from late) as due
    order by turn
    limit $7
),
leased as (
    update stepwell.job j
    set state = 'leased', worker_id = o.id, run_at = null, blocked_on = null, fresh = false
    from chosen c, owner o
    where j.ctid = c.place
    returning j.run_id, c.rank, c.run_at, c.fresh, j.deaths, j.messages, j.paused, j.started_at, j.sequence
)
select now() as "now!", clock_timestamp() - statement_timestamp() as "took!",
       exists (select from owner) as "owned!",
       (select run_at from stepwell.job
        where state = 'timed' and queue = $3 and run_at > now()
        order by run_at limit 1) as next_due,
       l.run_id as "run_id?", l.rank as "rank?", l.run_at as "run_at?", l.fresh as "fresh?", l.deaths as "deaths?",
       l.messages as "messages?", l.paused as "paused?", l.started_at as "started_at?", l.sequence as "sequence?",
       r.workflow_id as "workflow_id?", r.workflow_name as "workflow_name?", r.version as "version?",
       r.generation as "generation?", r.input::text as input, r.created_at as "created_at?", r.timeout_ms as "timeout_ms?",
       r.parent_id as "parent_id?", r.parent_step as "parent_step?", r.parent_item as "parent_item?",
       r.parent_generation as "parent_generation?", r.request_id, r.traceparent
from (select) as once
left join (leased l left join stepwell.run r on r.id = any (array[l.run_id])) on true
