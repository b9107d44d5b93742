-- Places of runs that are over: others wait for them.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select p.run_id || ' under ' || left(p.key, 100) as what
      from stepwell.place p
      where not exists (select from stepwell.job j where j.run_id = p.run_id)) as breach
