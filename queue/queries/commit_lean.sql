-- What drivers decided, when it is the common case: new step rows, audit records, first commits and
-- finished runs. `queries/commit.sql` does the rest; the parameters are the same. The worker's row is
-- locked against being marked dead: without an owner nothing is written (D4).
with owner as materialized (
    select id from stepwell.worker
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
         unnest($3::uuid[], $4::smallint[], $5::int[], $6::int[], $7::text[], $8::text[], $9::text[], $10::smallint[],
                $11::smallint[], $12::text[], $13::text[], $14::text[], $15::timestamptz[], $16::timestamptz[],
                $17::timestamptz[], $18::uuid[])
         as s (run_id, step, item, generation, name, kind, status, attempt, max_attempts, input, output, error,
               started_at, finished_at, wake_at, child_run_id)
),
records as (
    insert into stepwell.audit
        (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor, request_id)
    select a.id, a.entity_type, a.entity_id, a.sequence, a.step, a.action, to_json(a.before), to_json(a.after),
           a.detail::json, a.actor, a.request_id
    from owner o,
         unnest($19::uuid[], $20::text[], $21::uuid[], $22::bigint[], $23::text[], $24::text[], $25::text[],
                $26::text[], $27::text[], $28::text[], $29::text[])
         as a (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor, request_id)
),
changed as materialized (
    select o.id as owner_id, d.*
    from owner o,
         unnest($30::uuid[], $31::text[], $32::bigint[], $33::timestamptz[], $34::int[], $35::text[], $36::text[],
                $37::text[], $38::timestamptz[], $39::text[], $40::text[])
         as d (run_id, turn, sequence, started_at, generation, status, output, error, finished_at, cancelled_by,
               cancel_reason)
),
kept as (
    update stepwell.job j
    set started_at = coalesce(j.started_at, c.started_at), sequence = greatest(j.sequence, c.sequence)
    from changed c
    where c.turn = 'kept' and j.run_id = c.run_id and j.worker_id = c.owner_id
),
gone as (
    delete from stepwell.job j
    using changed c
    where c.turn = 'finished' and j.run_id = c.run_id and j.worker_id = c.owner_id
    returning c.*, j.awaited, j.messages, j.started_at as begun_at
),
over as (
    update stepwell.run r
    set status = g.status::stepwell.run_status, output = g.output::json, error = g.error::json,
        started_at = coalesce(g.begun_at, g.started_at), finished_at = g.finished_at,
        cancelled_by = g.cancelled_by, cancel_reason = g.cancel_reason, sequence = g.sequence
    from gone g
    where r.id = g.run_id and r.generation = g.generation and r.status = 'pending'
    returning r.id, r.workflow_id, r.dedupe_key
),
freed as (
    delete from stepwell.dedupe d using over o
    where o.dedupe_key is not null and d.workflow_id = o.workflow_id and d.key = o.dedupe_key and d.run_id = o.id
),
unread as (
    delete from stepwell.inbox i using gone g
    where g.messages > 0 and i.run_id = g.run_id
)
select exists (select from owner) as "owned!",
       (select count(*) from over) as "finished!",
       array(select run_id from gone where awaited) as "ended!"
