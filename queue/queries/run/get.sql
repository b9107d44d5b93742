-- A run as it stands: its row, its job row while it lives, and how many of its steps are over.
select r.id, r.workflow_id, r.workflow_name, r.version, r.status::text as "status!",
       r.input as "input: Json<Box<RawValue>>", r.output as "output: Json<Box<RawValue>>",
       r.error as "error: Json<Box<RawValue>>", r.labels as "labels: Json<BTreeMap<String, String>>",
       r.priority, r.queue, r.generation, r.parent_id, r.forked_from, r.created_at,
       coalesce(r.started_at, j.started_at) as started_at, r.finished_at, r.triggered_by,
       r.cancelled_by, r.cancel_reason, r.steps_total, done.steps as "steps_done!",
       j.state::text as "job_state?", j.paused as "job_paused?", j.started_at is not null as "job_begun?",
       j.run_at as "job_run_at?", j.blocked_on as "job_blocked_on?: Json<Box<RawValue>>"
from stepwell.run r
left join stepwell.job j on j.run_id = r.id
cross join lateral (
    -- One probe of the key per step of the plan: the items of a map, which may be thousands, stand
    -- between the steps in the index and are jumped over. An array, because the planner takes it for
    -- ten rows; it would take a series for a thousand, and compile the whole statement by JIT.
    select count(*) as steps
    from unnest(array_fill(0, array[r.steps_total])) with ordinality as place (nothing, number)
    cross join lateral (
        select t.status from stepwell.step t
        where t.run_id = r.id and t.step = (place.number - 1)::smallint and t.item = -1
        order by t.generation desc limit 1
    ) as newest
    where newest.status in ('completed', 'failed', 'cancelled', 'timed_out', 'skipped')
) as done
where r.id = $1
