-- Agents that more calls may be at than they take. A call that began before the limit was lowered may go on to its
-- timeout; seats of the dead are free.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select a.name || ': ' || count(*) || ' of ' || a.max_concurrency as what
      from stepwell.seat s
      join stepwell.worker w on w.id = s.worker_id and w.status in ('alive', 'draining')
      join stepwell.agent a on a.id = s.agent_id
      where a.max_concurrency is not null
        and a.updated_at < now() - make_interval(secs => a.timeout_ms / 1000.0 + 60)
      group by a.id, a.name, a.max_concurrency
      having count(*) > a.max_concurrency) as breach
