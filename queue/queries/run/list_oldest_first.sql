-- Runs that fit, by id. The page is found first, with all that is read of its rows; then the steps
-- of its runs alone are counted.
with page as materialized (
    select r.id, r.workflow_id, r.workflow_name, r.version, r.status::text as status, r.input, r.output,
           r.error, r.labels, r.priority, r.queue, r.generation, r.parent_id, r.forked_from, r.created_at,
           coalesce(r.started_at, j.started_at) as started_at, r.finished_at, r.triggered_by,
           r.cancelled_by, r.cancel_reason, r.steps_total, j.state::text as job_state,
           j.paused as job_paused, j.started_at is not null as job_begun, j.run_at as job_run_at,
           j.blocked_on as job_blocked_on
    from stepwell.run r
    left join stepwell.job j on j.run_id = r.id
    where ($1::text[] is null or case
              when r.status <> 'pending' then r.status::text
              when j.state = 'leased' then 'running'
              when j.paused then 'paused'
              when j.state = 'ready' and j.started_at is null then 'pending'
              when j.state in ('timed', 'parked') then 'waiting'
              else 'running'
          end = any($1))
      and ($2::uuid is null or r.workflow_id = $2)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
      and ($5::jsonb is null or r.labels @> $5)
      and ($6::text is null or r.queue = $6)
      and ($7::uuid is null or r.parent_id = $7)
      and ($8::uuid is null or r.id > $8)
    order by r.id
    offset $9 limit $10
)
select r.id as "id!", r.workflow_id as "workflow_id!", r.workflow_name as "workflow_name!",
       r.version as "version!", r.status as "status!", r.input as "input: Json<Box<RawValue>>",
       r.output as "output: Json<Box<RawValue>>", r.error as "error: Json<Box<RawValue>>",
       r.labels as "labels: Json<BTreeMap<String, String>>", r.priority as "priority!",
       r.queue as "queue!", r.generation as "generation!", r.parent_id, r.forked_from, r.created_at as "created_at!",
       r.started_at, r.finished_at, r.triggered_by as "triggered_by!", r.cancelled_by,
       r.cancel_reason, r.steps_total as "steps_total!", done.steps as "steps_done!",
       r.job_state as "job_state?", r.job_paused as "job_paused?", r.job_begun as "job_begun?",
       r.job_run_at as "job_run_at?", r.job_blocked_on as "job_blocked_on?: Json<Box<RawValue>>"
from page r
cross join lateral (
    -- One probe of the key per step of the plan: the items of a map, which may be thousands, stand
    -- between the steps in the index and are jumped over. An array, because the planner takes it for
    -- ten rows; it would take a series for a thousand, and compile the whole statement by JIT.
    select count(*) as steps
    from unnest(array_fill(0, array[r.steps_total])) with ordinality as place (nothing, number)
    cross join lateral (
        select s.status from stepwell.step s
        where s.run_id = r.id and s.step = (place.number - 1)::smallint and s.item = -1
        order by s.generation desc limit 1
    ) as newest
    where newest.status in ('completed', 'failed', 'cancelled', 'timed_out', 'skipped')
) as done
order by r.id
