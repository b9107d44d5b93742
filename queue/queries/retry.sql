-- Opens the next generation of a run whose row the caller has locked. Messages that came too late for
-- the last generation are not for this one. The job is not fresh: its driver must load the steps.
with late as (
    delete from stepwell.inbox where run_id = $1
),
opened as (
    update stepwell.run
    set status = 'pending', generation = $2, sequence = $3, finished_at = null, started_at = null,
        error = null, output = null, cancelled_by = null, cancel_reason = null
    where id = $1
    returning id
),
jobs as (
    insert into stepwell.job (run_id, queue, state, rank, messages, fresh, sequence)
    select id, $4::text, 'ready', $5::smallint, 1, false, $3 from opened
),
told as (
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    select id, $6::text, $7::text::json, $8::text, $9::text from opened
)
insert into stepwell.audit
    (id, entity_type, entity_id, sequence, action, before, after, detail, actor, request_id)
select $10::uuid, 'run', id, $3, 'run.retry_requested', $11::text::json, '"pending"',
       json_build_object('generation', $2::int), $8::text, $9::text
from opened
