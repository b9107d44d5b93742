-- What becomes of jobs and their runs, when it is the common case: first commits and finished runs. Goes
-- with step rows and records that were copied in the same transaction, under the lock of the worker's
-- row; `queries/commit_lean.sql` does all of it at once.
with changed as materialized (
    select *
    from (select unnest($2::uuid[]) as run_id, unnest($3::text[]) as turn, unnest($4::bigint[]) as sequence,
                 unnest($5::timestamptz[]) as started_at, unnest($6::int[]) as generation,
                 unnest($7::text[]) as status, unnest($8::text[]) as output, unnest($9::text[]) as error,
                 unnest($10::timestamptz[]) as finished_at, unnest($11::text[]) as cancelled_by,
                 unnest($12::text[]) as cancel_reason) as d
),
kept as (
    update stepwell.job j
    set started_at = coalesce(j.started_at, c.started_at), sequence = greatest(j.sequence, c.sequence)
    from changed c
    where c.turn = 'kept' and j.run_id = any (array[c.run_id]) and j.worker_id = $1
),
gone as (
    delete from stepwell.job j
    using changed c
    where c.turn = 'finished' and j.run_id = any (array[c.run_id]) and j.worker_id = $1
    returning c.*, j.awaited, j.messages, j.started_at as begun_at
),
over as (
    update stepwell.run r
    set status = g.status::stepwell.run_status, output = g.output::json, error = g.error::json,
        started_at = coalesce(g.begun_at, g.started_at), finished_at = g.finished_at,
        cancelled_by = g.cancelled_by, cancel_reason = g.cancel_reason, sequence = g.sequence
    from gone g
    where r.id = any (array[g.run_id]) and r.generation = g.generation and r.status = 'pending'
    returning r.id, r.workflow_id, r.dedupe_key
),
freed as (
    delete from stepwell.dedupe d using over o
    where o.dedupe_key is not null and d.workflow_id = any (array[o.workflow_id])
      and d.key = o.dedupe_key and d.run_id = o.id
),
unread as (
    delete from stepwell.inbox i using gone g
    where g.messages > 0 and i.run_id = any (array[g.run_id])
)
select (select count(*) from over) as "finished!",
       array(select run_id from gone where awaited) as "ended!"
