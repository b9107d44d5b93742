-- Runs that are over and whose row names another last record than the trail has. $1, $2: ids of runs; $3: no record of
-- theirs has a smaller id.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id || ': the row says ' || r.sequence || ', the trail ' || coalesce(a.last, 0) as what
      from stepwell.run r
      left join (select t.entity_id, max(t.sequence) as last
                 from stepwell.audit t
                 where t.entity_id >= $1 and t.entity_id < $2 and t.id >= $3 and t.entity_type in ('run', 'step')
                 group by t.entity_id) as a on a.entity_id = r.id
      where r.id >= $1 and r.id < $2 and r.finished_at is not null and r.sequence is distinct from a.last) as breach
