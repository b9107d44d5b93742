-- Runs leased to workers whose jobs were freed, or that have left for good: no rescuer looks at those again. $1, $2:
-- ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select j.run_id || coalesce(' by ' || w.name || ' (' || w.id || '), which is ' || w.status,
                                  ' by ' || j.worker_id || ', which is nowhere') as what
      from stepwell.job j
      left join stepwell.worker w on w.id = j.worker_id
      where j.run_id >= $1 and j.run_id < $2 and j.state = 'leased'
        and (w.id is null or w.freed_at is not null
             or w.status = 'gone' and w.ended_at < now() - interval '1 minute')) as breach
