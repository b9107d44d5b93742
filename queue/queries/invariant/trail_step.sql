-- Steps of runs that are over whose last told status is another. $1, $2: ids of runs; $3: no record of theirs has a
-- smaller id.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select s.run_id || ' ' || s.name || ' is ' || s.status || ', the trail says ' || coalesce(a.status, 'nothing') as what
      from (select distinct on (t.run_id, t.step, t.item) t.run_id, t.name, t.status::text as status
            from stepwell.step t
            where t.run_id >= $1 and t.run_id < $2
            order by t.run_id, t.step, t.item, t.generation desc) as s
      join stepwell.run r on r.id = s.run_id and r.id >= $1 and r.id < $2 and r.finished_at is not null
      left join (select distinct on (t.entity_id, t.step) t.entity_id, t.step, t.after #>> '{}' as status
                 from stepwell.audit t
                 where t.entity_id >= $1 and t.entity_id < $2 and t.id >= $3
                   and t.entity_type = 'step' and t.after is not null
                 order by t.entity_id, t.step, t.sequence desc) as a on a.entity_id = s.run_id and a.step = s.name
      where s.status is distinct from a.status) as breach
