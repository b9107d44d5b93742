-- Runs that are over and whose last told status is another. $1, $2: ids of runs; $3: no record of theirs has a smaller
-- id.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id || ' is ' || r.status || ', the trail says ' || coalesce(a.status, 'nothing') as what
      from stepwell.run r
      left join (select distinct on (t.entity_id) t.entity_id, t.after #>> '{}' as status
                 from stepwell.audit t
                 where t.entity_id >= $1 and t.entity_id < $2 and t.id >= $3
                   and t.entity_type = 'run' and t.step is null and t.after is not null
                 order by t.entity_id, t.sequence desc) as a on a.entity_id = r.id
      where r.id >= $1 and r.id < $2 and r.finished_at is not null and r.status::text is distinct from a.status) as breach
