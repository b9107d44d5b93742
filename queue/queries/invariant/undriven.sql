-- Workers that hold more by the tables than in their own hands, as of their last sign of life: what is leased to each,
-- what it said, and the seats of one that said that it holds nothing and makes nothing for others.
select w.id as "id!", w.name as "name!", w.seen_at as "seen_at!", w.running as "running!",
       j.runs as "runs!", s.seats as "seats!"
from stepwell.worker w
cross join lateral (
    select coalesce(array_agg(l.run_id), '{}') as runs from stepwell.job l where l.state = 'leased' and l.worker_id = w.id
) j
cross join lateral (
    select coalesce(array_agg(t.agent_id || '/' || t.number), '{}') as seats from stepwell.seat t
    where t.worker_id = w.id and w.running = 0
      and not exists (select from stepwell.detached d where d.worker_id = w.id)
) s
where w.status in ('alive', 'draining') and (cardinality(j.runs) > w.running or cardinality(s.seats) > 0)
order by w.id
