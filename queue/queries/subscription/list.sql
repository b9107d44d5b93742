-- A page of subscriptions, by creation. $3: descending; $4: where the page before ended.
select id, name, url, event_types, workflow, status, disabled_reason, old_secret_until, revision, sequence,
       created_at, updated_at
from stepwell.subscription
where ($1::text is null or status = $1)
  and ($2::text is null or workflow = $2)
  and ($4::uuid is null or case when $3::bool then id < $4 else id > $4 end)
order by case when $3 then id end desc, id asc
limit $5 offset $6
