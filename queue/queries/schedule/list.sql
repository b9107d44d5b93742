-- A page of schedules. There are hundreds of them at most, so one statement with the order as a
-- parameter serves every order; sorting by id is sorting by creation.
select id, name, workflow, version, input as "input: Json<Box<RawValue>>", cron, time_zone, overlap, catch_up,
       labels as "labels: Json<BTreeMap<String, String>>", queue, priority, status, next_at, last_at, last_run_id,
       last_error, revision, sequence, created_at, updated_at
from stepwell.schedule
where ($1::text is null or status = $1)
  and ($2::text is null or name = $2)
  and ($3::text is null or workflow = $3)
  -- $4: by name; $5: descending; $6 and $7: where the page before ended.
  and ($7::uuid is null
       or case when $4::bool and $5::bool then (name, id) < ($6::text, $7)
               when $4 then (name, id) > ($6, $7)
               when $5 then id < $7
               else id > $7
          end)
order by case when $4 and $5 then name end desc,
         case when $4 and not $5 then name end asc,
         case when $5 then id end desc,
         id asc
limit $8 offset $9
