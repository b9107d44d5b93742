-- Jobs of no run, or of one that is over. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select j.run_id || coalesce(', which is ' || r.status, ', which is nowhere') as what
      from stepwell.job j
      left join stepwell.run r on r.id = j.run_id and r.id >= $1 and r.id < $2
      where j.run_id >= $1 and j.run_id < $2 and (r.id is null or r.finished_at is not null)) as breach
