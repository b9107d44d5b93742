-- Records that do not stand as the runs that process them. A run may have been dropped with its day. $1, $2: ids of
-- records.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select d.id || ' is ' || d.status || ', its run ' || r.status as what
      from stepwell.record d
      join stepwell.run r on r.id = d.run_id
      where d.id >= $1 and d.id < $2
        and d.status is distinct from case r.status when 'pending' then 'processing'
                                                    when 'completed' then 'processed' else 'failed' end) as breach
