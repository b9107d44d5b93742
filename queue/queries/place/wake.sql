-- Tells a run that it has a place now. One that no driver has had yet finds out by itself.
with target as (
    update stepwell.job
    set messages = messages + 1,
        state = (case when state = 'parked' then 'ready' else state::text end)::stepwell.job_state,
        blocked_on = null
    where run_id = $1 and state in ('parked', 'leased')
    returning run_id, queue, state
),
put as (
    insert into stepwell.inbox (run_id, kind, actor)
    select run_id, 'admitted', 'stepwell' from target
)
select queue as "queue!", state = 'leased' as "leased!" from target
