-- How many runs fit, counted no further than $8. As in `queries/run/list.sql`; what fits many runs and a
-- status of live ones is joined here, as all of it has to be seen.
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
    -- More than these are many: the items of the largest map, the furthest that is counted or skipped.
    limit 10001
)
select count(*) as "count!" from (
    (select from stepwell.run r
    where ($1 is null
           or 'completed' = any ($1) and r.status = 'completed'
              and ($2 is null and $5 is null and $6 is null and $7 is null or (select count(*) = 10001 from few)))
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($6::text is null or r.queue = $6)
      and ($7::uuid is null or r.parent_id = $7)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
    limit $8)
    union all
    (select from few f
    where (select count(*) < 10001 from few)
      and case when f.status <> 'pending' then f.status::text
               else (select case when j.state = 'leased' then 'running'
                                 when j.paused then 'paused'
                                 when j.state in ('timed', 'parked') then 'waiting'
                                 when j.started_at is null then 'pending'
                                 else 'running' end
                     from stepwell.job j where j.run_id = f.id) end = any ($1)
    limit $8)
    union all
    (select from unnest($1) as word
    cross join lateral (
        select from stepwell.run_outcome o
        where word in ('failed', 'cancelled', 'timed_out') and o.status = word::stepwell.run_status
          and ($2 is null and $5 is null and $6 is null and $7 is null or (select count(*) = 10001 from few))
          and ($2 is null or o.workflow_id = $2)
          and ($5 is null and $6 is null and $7 is null
               or (select ($5 is null or r.labels @> $5) and ($6 is null or r.queue = $6) and ($7 is null or r.parent_id = $7)
                   from stepwell.run r where r.id = o.run_id))
          and ($3::uuid is null or o.run_id >= $3)
          and ($4::uuid is null or o.run_id < $4)
        limit $8
    ) as o)
    union all
    (select from stepwell.job j
    where ('pending' = any ($1) and j.state = 'ready' and not j.paused and j.started_at is null
           or 'running' = any ($1) and j.state = 'leased'
           or 'running' = any ($1) and j.state = 'ready' and not j.paused and not j.fresh and j.started_at is not null
           or 'waiting' = any ($1) and j.state = 'timed' and not j.paused
           or 'waiting' = any ($1) and j.state = 'parked' and not j.paused
           or 'paused' = any ($1) and j.paused and j.state <> 'leased')
      and $2 is null and $5 is null and $7 is null
      and ($6 is null or (select count(*) = 10001 from few) and j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select from stepwell.job j join stepwell.run r on r.id = j.run_id
    where ('pending' = any ($1) and j.state = 'ready' and not j.paused and j.started_at is null
           or 'running' = any ($1) and j.state = 'leased'
           or 'running' = any ($1) and j.state = 'ready' and not j.paused and not j.fresh and j.started_at is not null
           or 'waiting' = any ($1) and j.state = 'timed' and not j.paused
           or 'waiting' = any ($1) and j.state = 'parked' and not j.paused
           or 'paused' = any ($1) and j.paused and j.state <> 'leased')
      and ($2 is not null or $5 is not null or $7 is not null)
      and (select count(*) = 10001 from few)
      and ($2 is null or r.workflow_id = $2)
      and ($5 is null or r.labels @> $5)
      and ($6 is null or j.queue = $6)
      and ($7 is null or r.parent_id = $7)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    limit $8
) as counted
