-- A page of runs, by id. It is planned for the values at hand: what is not asked for folds away, and
-- each status is read where its runs are few: the live ones among the jobs, those that did not complete
-- in `run_outcome`, the rest in the order of the key. Each place gives the ids that may stand on the
-- page; the page is cut from them, and then the steps of its runs alone are counted.
-- Beside a status, the other filters are tried first: where they fit few runs, those are looked up one
-- by one, and where they fit many, some are soon met by walking through the runs of that status. Either
-- way no plan rests on a guess of how the two go together. A run is looked up by a scalar subquery: a
-- join would leave the planner free to read the whole table instead.
-- $1: statuses, $3 and $4: ids from and until, $8: the last id of the page before, $11: oldest first,
-- $12: without what may be large.
with few as materialized (
    select r.id, r.status from stepwell.run r
    where $1::text[] is not null
      and ($2::uuid is not null or $5::jsonb is not null or $6::text is not null or $7::uuid is not null)
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($6::text is null or r.queue = $6)
      and ($7::uuid is null or r.parent_id = $7)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
      and ($8::uuid is null or case when $11::boolean then r.id > $8 else r.id < $8 end)
    -- More than these are many: the items of the largest map, the furthest that is counted or skipped.
    limit 10001
),
found as (
    (select r.id from stepwell.run r
    where ($1 is null
           or 'completed' = any ($1) and r.status = 'completed'
              and ($2 is null and $5 is null and $6 is null and $7 is null or (select count(*) = 10001 from few)))
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($6::text is null or r.queue = $6)
      and ($7::uuid is null or r.parent_id = $7)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
      and ($8::uuid is null or case when $11::boolean then r.id > $8 else r.id < $8 end)
    order by case when $11 then r.id end, case when not $11 then r.id end desc
    limit $9::bigint + $10::bigint)
    union all
    (select f.id from few f
    where (select count(*) < 10001 from few)
      and case when f.status <> 'pending' then f.status::text
               else (select case when j.state = 'leased' then 'running'
                                 when j.paused then 'paused'
                                 when j.state in ('timed', 'parked') then 'waiting'
                                 when j.started_at is null then 'pending'
                                 else 'running' end
                     from stepwell.job j where j.run_id = f.id) end = any ($1)
    order by case when $11 then f.id end, case when not $11 then f.id end desc
    limit $9::bigint + $10::bigint)
    union all
    (select o.run_id from unnest($1) as word
    cross join lateral (
        select o.run_id from stepwell.run_outcome o
        where word in ('failed', 'cancelled', 'timed_out') and o.status = word::stepwell.run_status
          and ($2 is null and $5 is null and $6 is null and $7 is null or (select count(*) = 10001 from few))
          and ($2 is null or o.workflow_id = $2)
          and ($5 is null and $6 is null and $7 is null
               or (select ($5 is null or r.labels @> $5) and ($6 is null or r.queue = $6) and ($7 is null or r.parent_id = $7)
                   from stepwell.run r where r.id = o.run_id))
          and ($3::uuid is null or o.run_id >= $3)
          and ($4::uuid is null or o.run_id < $4)
          and ($8::uuid is null or case when $11::boolean then o.run_id > $8 else o.run_id < $8 end)
        order by case when $11 then o.run_id end, case when not $11 then o.run_id end desc
        limit $9::bigint + $10::bigint
    ) as o)
    union all
    (select j.run_id from stepwell.job j
    where ('pending' = any ($1) and j.state = 'ready' and not j.paused and j.started_at is null
           or 'running' = any ($1) and j.state = 'leased'
           or 'running' = any ($1) and j.state = 'ready' and not j.paused and not j.fresh and j.started_at is not null
           or 'waiting' = any ($1) and j.state = 'timed' and not j.paused
           or 'waiting' = any ($1) and j.state = 'parked' and not j.paused
           or 'paused' = any ($1) and j.paused and j.state <> 'leased')
      and ($2 is null and $5 is null and $6 is null and $7 is null or (select count(*) = 10001 from few))
      and ($6 is null or j.queue = $6)
      and ($2 is null and $5 is null and $7 is null
           or (select ($2 is null or r.workflow_id = $2) and ($5 is null or r.labels @> $5) and ($7 is null or r.parent_id = $7)
               from stepwell.run r where r.id = j.run_id))
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
      and ($8::uuid is null or case when $11::boolean then j.run_id > $8 else j.run_id < $8 end)
    order by case when $11 then j.run_id end, case when not $11 then j.run_id end desc
    limit $9::bigint + $10::bigint)
),
page as materialized (
    select r.id, r.workflow_id, r.workflow_name, r.version, r.status::text as status,
           case when not $12::boolean then r.input end as input,
           case when not $12 then r.output end as output, r.error, r.labels, r.priority, r.queue, r.generation, r.parent_id, r.forked_from, r.created_at,
           coalesce(r.started_at, j.started_at) as started_at, r.finished_at, r.triggered_by,
           r.cancelled_by, r.cancel_reason, r.steps_total, j.state::text as job_state,
           j.paused as job_paused, j.started_at is not null as job_begun, j.run_at as job_run_at,
           j.blocked_on as job_blocked_on
    from (select id from found
          order by case when $11 then id end, case when not $11 then id end desc
          offset $9 limit $10) as chosen
    join stepwell.run r on r.id = chosen.id
    left join stepwell.job j on j.run_id = r.id
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
order by case when $11 then r.id end, case when not $11 then r.id end desc
