-- Entities whose records are not numbered 1, 2, 3 … $1, $2: ids of entities; $3: no record of theirs has a smaller id.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select kind || ' ' || entity_id || ': ' || count(*) || ' records, ' || min(sequence) || '–' || max(sequence) as what
      from (select case a.entity_type when 'step' then 'run' else a.entity_type end as kind, a.entity_id, a.sequence
            from stepwell.audit a
            where a.entity_id >= $1 and a.entity_id < $2 and a.id >= $3) as record
      group by entity_id, kind
      having min(sequence) <> 1 or max(sequence) <> count(*) or count(distinct sequence) <> count(*)) as breach
