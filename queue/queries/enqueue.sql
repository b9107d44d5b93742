-- Writes new runs with their jobs and first audit records. Nothing here can conflict with what is
-- stored but an id used twice.
with new as materialized (
    select *
    from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::int[], $6::text[], $7::text[], $8::smallint[],
                $9::timestamptz[], $10::bigint[], $11::text[], $12::text[], $13::uuid[], $14::int[], $15::int[],
                $16::int[], $17::boolean[], $18::text[], $19::text[], $20::text[], $21::timestamptz[], $22::uuid[])
        as n (id, workflow_id, workflow_name, version, steps_total, input, queue, priority,
              run_at, timeout_ms, labels, dedupe_key, parent_id, parent_step, parent_item,
              parent_generation, awaited, actor, request_id, traceparent, created_at, audit_id)
),
runs as (
    insert into stepwell.run
        (id, workflow_id, workflow_name, version, priority, queue, steps_total, input, labels, timeout_ms,
         dedupe_key, parent_id, parent_step, parent_item, parent_generation, triggered_by, request_id, traceparent, created_at)
    select id, workflow_id, workflow_name, version, priority, queue, steps_total, input::json, labels::jsonb, timeout_ms,
           dedupe_key, parent_id, parent_step, parent_item, parent_generation, actor, request_id, traceparent, created_at
    from new
),
jobs as (
    -- The database's clock decides what is in the future.
    insert into stepwell.job (run_id, queue, state, rank, run_at, awaited)
    select id, queue,
           (case when run_at > now() then 'timed' else 'ready' end)::stepwell.job_state,
           -priority,
           case when run_at > now() then run_at end,
           awaited
    from new
)
insert into stepwell.audit (id, entity_type, entity_id, sequence, action, after, actor, request_id)
select audit_id, 'run', id, 1, 'run.created', '"pending"', actor, request_id
from new
