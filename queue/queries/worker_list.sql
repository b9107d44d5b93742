-- Workers by id, which is by the time of their registration. $1: statuses, empty for the living.
select shown.id as "id!", shown.name as "name!", shown.version as "version!", shown.queues as "queues!",
       shown.slots as "slots!", shown.running as "running!", shown.status as "status!",
       shown.registered_at as "registered_at!", shown.seen_at as "seen_at!", shown.ended_at,
       shown.clock_skew_ms, shown.rates as "rates!: Json<BTreeMap<String, f64>>"
from stepwell.v_workers shown
-- The living are in a small index, however many have been here before them.
where ($1::text[] && '{dead,gone}' or shown.id in (select w.id from stepwell.worker w where w.freed_at is null))
  and (shown.status = any ($1) or cardinality($1::text[]) = 0 and shown.status in ('alive', 'draining'))
  and ($2::text is null or $2 = any (shown.queues))
  and ($3::uuid is null or case when $4 then shown.id > $3 else shown.id < $3 end)
order by case when $4 then shown.id end, case when not $4 then shown.id end desc
offset $5 limit $6
