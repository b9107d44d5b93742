-- Dedupe keys of runs that are over: nobody can use them again.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select left(d.key, 100) || ' of ' || d.run_id as what
      from stepwell.dedupe d
      where not exists (select from stepwell.job j where j.run_id = d.run_id)) as breach
