-- Attempts that are put up for steps that do not wait for them.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select d.run_id || ' ' || d.name as what
      from stepwell.detached d
      where not exists (select from stepwell.step s
                        where s.run_id = d.run_id and s.step = d.step and s.item = d.item
                          and s.generation = d.generation and s.attempt = d.attempt and s.status = 'waiting')) as breach
