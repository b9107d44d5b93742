-- Runs that are not over and that nobody will take up. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id::text as what
      from stepwell.run r
      where r.id >= $1 and r.id < $2 and r.finished_at is null
        and not exists (select from stepwell.job j where j.run_id = r.id)) as breach
