-- What drivers decided, when no job changes hands: new step rows and audit records of runs that go on.
-- The parameters are the first of `queries/commit_lean.sql`, which says why it is written like this. A
-- statement of its own, because most commits of a lone run are of this kind, and setting the rest up
-- takes longer than writing these rows.
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
)
select exists (select from owner) as "owned!"
