-- Workers by id, which is by the time of their registration. $1: statuses, empty for the living.
select id as "id!", name as "name!", version as "version!", queues as "queues!", slots as "slots!",
       running as "running!", status as "status!", registered_at as "registered_at!", seen_at as "seen_at!",
       ended_at, rates as "rates!: Json<BTreeMap<String, f64>>"
from (select w.id, w.name, w.version, w.queues, w.slots, w.running, w.registered_at, w.seen_at, w.ended_at, w.rates,
             case when w.status in ('alive', 'draining')
                   and w.seen_at <= now() - make_interval(secs => w.dead_after_ms / 1000.0)
                  then 'dead' else w.status end as status
      from stepwell.worker w
      -- The living are in a small index, however many have been here before them.
      where (w.freed_at is null or $1::text[] && '{dead,gone}')) as shown
where (shown.status = any ($1) or cardinality($1::text[]) = 0 and shown.status in ('alive', 'draining'))
  and ($2::text is null or $2 = any (shown.queues))
  and ($3::uuid is null or case when $4 then shown.id > $3 else shown.id < $3 end)
order by case when $4 then shown.id end, case when not $4 then shown.id end desc
offset $5 limit $6
