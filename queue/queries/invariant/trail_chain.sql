-- Records by which a run leaves another status than the one that it was told to be in. That a run begins to wait is no
-- record of its own, so "running" and "waiting" are one here. $1, $2: ids of runs; $3: no record of theirs has a smaller
-- id.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select entity_id || ' ' || sequence || ' ' || action || ': before ' || before || ', told was ' || coalesce(told, 'nothing') as what
      from (select t.entity_id, t.sequence, t.action,
                   case t.before #>> '{}' when 'waiting' then 'running' else t.before #>> '{}' end as before,
                   lag(case t.after #>> '{}' when 'waiting' then 'running' else t.after #>> '{}' end)
                       over (partition by t.entity_id order by t.sequence) as told
            from stepwell.audit t
            where t.entity_id >= $1 and t.entity_id < $2 and t.id >= $3
              and t.entity_type = 'run' and t.step is null and t.after is not null) as record
      where before is not null and before is distinct from told) as breach
