-- A page of a subscription's deliveries, by creation. $3: descending; $4: where the page before ended. It is
-- planned for the values at hand: pending and failed ones, which are few, have indexes of their own.
select d.id, d.event_id, e.type as event_type, e.subject, e.at as event_at, d.status, d.attempts, d.next_at,
       d.attempted_at, d.finished_at, d.expires_at, d.response_status, d.duration_ms, d.error, d.created_at
from (
    select * from stepwell.delivery
    where subscription_id = $1
      and ($2::text is null or status = $2)
      and ($4::uuid is null or case when $3::bool then id < $4 else id > $4 end)
    order by case when $3 then id end desc, case when not $3 then id end
    limit $5 offset $6
) as d
join stepwell.event e on e.id = d.event_id
order by case when $3 then d.id end desc, case when not $3 then d.id end
