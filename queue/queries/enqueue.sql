-- Writes new runs with their jobs and first audit records. Nothing here can conflict with what is
-- stored but an id used twice.
with new as materialized (
    select *
    from (select unnest($1::uuid[]) as id, unnest($2::uuid[]) as workflow_id, unnest($3::text[]) as workflow_name,
                 unnest($4::int[]) as version, unnest($5::int[]) as steps_total, unnest($6::text[]) as input,
                 unnest($7::text[]) as queue, unnest($8::smallint[]) as priority, unnest($9::timestamptz[]) as run_at,
                 unnest($10::bigint[]) as timeout_ms, unnest($11::text[]) as labels,
                 unnest($12::text[]) as dedupe_key, unnest($13::uuid[]) as parent_id,
                 unnest($14::int[]) as parent_step, unnest($15::int[]) as parent_item,
                 unnest($16::int[]) as parent_generation, unnest($17::boolean[]) as awaited,
                 unnest($18::text[]) as actor, unnest($19::text[]) as request_id, unnest($20::text[]) as traceparent,
                 unnest($21::timestamptz[]) as created_at, unnest($22::uuid[]) as audit_id) as n
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
