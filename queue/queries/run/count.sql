-- How many runs fit, counted no further than $8. As in `queries/run/list.sql`.
select count(*) as "count!" from (
    select from (
    (select r.id from stepwell.run r
    where $1::text[] is null
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6::text is null or r.queue = $6)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
    limit $8)
    union all
    (select r.id from stepwell.run r
    where 'completed' = any ($1) and r.status = 'completed'
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6::text is null or r.queue = $6)
      and ($3::uuid is null or r.id >= $3)
      and ($4::uuid is null or r.id < $4)
    limit $8)
    union all
    (select o.run_id
    from unnest($1) as word
    cross join lateral (
        select o.run_id
        from stepwell.run_outcome o join stepwell.run r on r.id = o.run_id
        where word in ('failed', 'cancelled', 'timed_out') and o.status = word::stepwell.run_status
          and ($2::uuid is null or o.workflow_id = $2)
          and ($5::jsonb is null or r.labels @> $5)
          and ($7::uuid is null or r.parent_id = $7)
          and ($6 is null or r.queue = $6)
          and ($3::uuid is null or o.run_id >= $3)
          and ($4::uuid is null or o.run_id < $4)
        limit $8
    ) as o)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'pending' = any ($1) and j.state = 'ready' and not j.paused and j.started_at is null
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'running' = any ($1) and j.state = 'leased'
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'running' = any ($1) and j.state = 'ready' and not j.paused and j.started_at is not null
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'waiting' = any ($1) and j.state = 'timed' and not j.paused
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'waiting' = any ($1) and j.state = 'parked' and not j.paused
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    union all
    (select j.run_id from stepwell.job j join stepwell.run r on r.id = j.run_id
    where 'paused' = any ($1) and j.paused and j.state <> 'leased'
      and ($2::uuid is null or r.workflow_id = $2)
      and ($5::jsonb is null or r.labels @> $5)
      and ($7::uuid is null or r.parent_id = $7)
      and ($6 is null or j.queue = $6)
      and ($3::uuid is null or j.run_id >= $3)
      and ($4::uuid is null or j.run_id < $4)
    limit $8)
    ) as found
    limit $8
) as counted
