-- Keys under which more runs go on than may. Versions of a workflow may differ: the highest limit of them counts.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select p.workflow_id || ' under ' || left(p.key, 100) || ': ' || count(*) || ' of ' || max(p.most) as what
      from stepwell.place p
      where p.held
      group by p.workflow_id, p.key
      having count(*) > max(p.most)) as breach
