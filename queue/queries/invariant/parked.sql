-- Parked runs that do not say on what they wait. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select j.run_id::text as what
      from stepwell.job j
      where j.run_id >= $1 and j.run_id < $2 and j.state = 'parked' and j.blocked_on ->> 'kind' is null) as breach
