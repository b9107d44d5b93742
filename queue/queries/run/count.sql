-- How many runs fit, counted no further than $8.
select count(*) as "count!" from (
    select
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
    limit $8
) found
