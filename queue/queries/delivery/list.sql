-- A page of a subscription's deliveries, by creation. $3: descending; $4: where the page before ended.
select d.id, d.event_id, e.type as event_type, e.subject, e.at as event_at, d.status, d.attempts, d.next_at,
       d.attempted_at, d.finished_at, d.expires_at, d.response_status, d.duration_ms, d.error, d.created_at
from stepwell.delivery d
join stepwell.event e on e.id = d.event_id
where d.subscription_id = $1
  and ($2::text is null or d.status = $2)
  and ($4::uuid is null or case when $3::bool then d.id < $4 else d.id > $4 end)
order by case when $3 then d.id end desc, d.id asc
limit $5 offset $6
