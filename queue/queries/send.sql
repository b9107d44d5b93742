-- Writes a message and makes a waiting job due. The job's row lock orders this against the commit of
-- a driver that lets go of the run.
with target as (
    update stepwell.job
    set messages = messages + 1,
        state = (case when state in ('timed', 'parked') then 'ready' else state::text end)::stepwell.job_state,
        run_at = null,
        blocked_on = null
    where run_id = $1
    returning run_id, queue, state
),
put as (
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    select run_id, $2::text, $3::text::json, $4::text, $5::text from target
)
select queue as "queue!", state = 'leased' as "leased!" from target
