-- What attempts came to that were made elsewhere becomes messages to their runs. Only what the worker
-- still holds counts: a row that is gone was recalled. $2: the epoch of a worker that speaks for itself;
-- null: the rescuer speaks for one that is marked dead. Jobs are locked first and in order, as a commit
-- does it. `any ($3)` bounds what is read where a plan was made for tables that seemed empty.
with owner as materialized (
    select id, 'worker:' || id as actor from stepwell.worker
    where id = $1 and ($2::int is null or epoch = $2 and status in ('alive', 'draining'))
    for key share
),
told as materialized (
    select unnest($3::uuid[]) as run_id, unnest($4::smallint[]) as step, unnest($5::int[]) as item,
           unnest($6::int[]) as generation, unnest($7::smallint[]) as attempt, unnest($8::text[]) as payload
),
jobs as materialized (
    select j.run_id from stepwell.job j
    where j.run_id = any ($3) and exists (select from owner)
    order by j.run_id
    for update
),
done as (
    delete from stepwell.detached d
    using told t, owner o, jobs j
    where d.run_id = any ($3) and d.run_id = t.run_id and d.step = t.step and d.item = t.item
      and d.generation = t.generation and d.attempt = t.attempt and d.worker_id = o.id and j.run_id = d.run_id
    returning d.run_id, d.request_id, t.payload, o.actor
),
put as (
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    select run_id, 'reported', payload::json, actor, request_id from done
),
moved as (
    update stepwell.job j
    set messages = j.messages + n.count,
        state = (case when j.state in ('timed', 'parked') then 'ready' else j.state::text end)::stepwell.job_state,
        run_at = null,
        blocked_on = null
    from (select run_id, count(*)::int as count from done group by run_id) as n
    where j.run_id = any (array[n.run_id])
    returning j.run_id, j.queue, j.state
)
select exists (select from owner) as "owned!",
       array(select distinct queue from moved where state = 'ready') as "due!",
       array(select run_id from moved where state = 'leased') as "leased!"
