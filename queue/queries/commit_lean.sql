-- What drivers decided, when it is the common case: new step rows, audit records, first commits and
-- finished runs. `queries/commit.sql` does the rest; the parameters are the same. The worker's row is
-- locked against being marked dead: without an owner nothing is written (D4). Records that name nobody
-- are the worker's own. Arrays are unnested side by side in a select list: as one function in FROM, each
-- would be put aside as a whole first, which costs three times as much. Rows are looked up by `= any (array[id])`:
-- by `=`, Postgres may as well begin with the other table, and reads all of it for each commit where an ANALYZE
-- found it empty.
with owner as materialized (
    select id, 'worker:' || number as actor from stepwell.worker
    where id = $1 and epoch = $2 and status in ('alive', 'draining')
    for key share
),
steps as (
    insert into stepwell.step
        (run_id, step, item, generation, name, kind, status, attempt, max_attempts, input, output, error,
         started_at, finished_at, wake_at, child_run_id, worker_id)
    select s.run_id, s.step, s.item, s.generation, s.name, s.kind, s.status::stepwell.step_status, s.attempt, s.max_attempts,
           s.input::json, s.output::json, s.error::json, s.started_at, s.finished_at, s.wake_at, s.child_run_id, o.id
    from owner o,
         (select unnest($3::uuid[]) as run_id, unnest($4::smallint[]) as step, unnest($5::int[]) as item,
                 unnest($6::int[]) as generation, unnest($7::text[]) as name, unnest($8::text[]) as kind,
                 unnest($9::text[]) as status, unnest($10::smallint[]) as attempt,
                 unnest($11::smallint[]) as max_attempts, unnest($12::text[]) as input, unnest($13::text[]) as output,
                 unnest($14::text[]) as error, unnest($15::timestamptz[]) as started_at,
                 unnest($16::timestamptz[]) as finished_at, unnest($17::timestamptz[]) as wake_at,
                 unnest($18::uuid[]) as child_run_id) as s
),
records as (
    insert into stepwell.audit
        (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor, request_id)
    select a.id, case when a.step is null then 'run' else 'step' end, a.entity_id, a.sequence, a.step, a.action, to_json(a.before), to_json(a.after),
           a.detail::json, coalesce(a.actor, o.actor), a.request_id
    from owner o,
         (select unnest($19::uuid[]) as id, unnest($20::uuid[]) as entity_id,
                 unnest($21::bigint[]) as sequence, unnest($22::text[]) as step, unnest($23::text[]) as action,
                 unnest($24::text[]) as before, unnest($25::text[]) as after, unnest($26::text[]) as detail,
                 unnest($27::text[]) as actor, unnest($28::text[]) as request_id) as a
),
changed as materialized (
    select o.id as owner_id, d.*
    from owner o,
         (select unnest($29::uuid[]) as run_id, unnest($30::text[]) as turn, unnest($31::bigint[]) as sequence,
                 unnest($32::timestamptz[]) as started_at, unnest($33::int[]) as generation,
                 unnest($34::text[]) as status, unnest($35::text[]) as output, unnest($36::text[]) as error,
                 unnest($37::timestamptz[]) as finished_at, unnest($38::text[]) as cancelled_by,
                 unnest($39::text[]) as cancel_reason) as d
),
kept as (
    update stepwell.job j
    set started_at = coalesce(j.started_at, c.started_at), sequence = greatest(j.sequence, c.sequence)
    from changed c
    where c.turn = 'kept' and j.run_id = any (array[c.run_id]) and j.worker_id = c.owner_id
),
gone as (
    delete from stepwell.job j
    using changed c
    where c.turn = 'finished' and j.run_id = any (array[c.run_id]) and j.worker_id = c.owner_id
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
select exists (select from owner) as "owned!",
       (select count(*) from over) as "finished!",
       array(select run_id from gone where awaited) as "ended!"
