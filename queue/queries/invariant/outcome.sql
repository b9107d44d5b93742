-- Runs that did not complete and that lists do not find, and the other way round. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id || ' is ' || r.status as what
      from stepwell.run r
      where r.id >= $1 and r.id < $2 and r.status in ('failed', 'cancelled', 'timed_out')
        and not exists (select from stepwell.run_outcome o where o.run_id = r.id and o.status = r.status)
      union all
      select o.run_id || ' was ' || o.status
      from stepwell.run_outcome o
      where o.run_id >= $1 and o.run_id < $2
        and not exists (select from stepwell.run r where r.id = o.run_id and r.status = o.status)) as breach
