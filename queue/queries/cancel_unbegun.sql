-- Ends a run that no driver has had, with the record that its driver would write, and tells its
-- parent. $2: reason, $3: actor, $4: request id, $5: id of the audit record, $6: the step's failure in
-- the parent.
with gone as (
    delete from stepwell.job
    where run_id = $1 and fresh and state in ('ready', 'timed') and messages = 0
    returning run_id, awaited, sequence
),
over as (
    update stepwell.run r
    set status = 'cancelled', finished_at = now(), cancelled_by = $3::text, cancel_reason = $2::text,
        sequence = gone.sequence + 1
    from gone
    where r.id = $1 and r.id = gone.run_id and r.status = 'pending'
    returning r.id, r.workflow_id, r.dedupe_key, r.parent_id, r.parent_step, r.parent_item, r.sequence
),
freed as (
    delete from stepwell.dedupe d using over o
    where o.dedupe_key is not null and d.workflow_id = o.workflow_id and d.key = o.dedupe_key and d.run_id = o.id
),
left_place as (
    delete from stepwell.place p using over o where p.run_id = o.id
    returning p.workflow_id, p.key
),
written as (
    insert into stepwell.audit
        (id, entity_type, entity_id, sequence, action, before, after, detail, actor, request_id)
    select $5::uuid, 'run', id, sequence, 'run.cancelled', '"pending"', '"cancelled"',
           case when $2::text is not null then json_build_object('reason', $2::text) end, $3::text, $4::text
    from over
),
parent as (
    update stepwell.job j
    set messages = j.messages + 1,
        state = (case when j.state in ('timed', 'parked') then 'ready' else j.state::text end)::stepwell.job_state,
        run_at = null,
        blocked_on = null
    from over o
    where j.run_id = o.parent_id
    returning j.run_id, j.queue, j.state, o.id as child_id, o.parent_step, o.parent_item
),
told as (
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    select run_id, 'child_ended',
           json_build_object('step', parent_step, 'item', parent_item, 'child_run_id', child_id, 'failure', $6::text::json),
           'run:' || child_id, $4::text
    from parent
)
select gone.awaited as "awaited!",
       (select queue from parent where state = 'ready') as parent_queue,
       (select run_id from parent where state = 'leased') as parent_leased,
       (select workflow_id from left_place) as place_workflow,
       (select key from left_place) as place_key
from gone
