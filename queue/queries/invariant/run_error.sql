-- Runs that completed with an error, or failed without one. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id || ' ' || r.status as what
      from stepwell.run r
      where r.id >= $1 and r.id < $2
        and (r.status = 'completed' and r.error is not null
             or r.status in ('failed', 'timed_out') and r.error is null)) as breach
