-- A page of agents. There are hundreds of them at most, so one statement with the order as a
-- parameter serves every order; sorting by id is sorting by creation.
select id, name, url, health_path, description, auth_type, timeout_ms,
       retry_config as "retry_config: Json<RetryPolicy>", max_concurrency, cancel,
       status, revision, created_at, updated_at, deleted_at
from stepwell.agent
where ($1::text is null or status = $1)
  and ($2::text is null or name = $2)
  and ($3::bool or deleted_at is null)
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
