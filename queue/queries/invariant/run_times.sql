-- Runs whose status and times disagree. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select r.id || ' ' || r.status as what
      from stepwell.run r
      where r.id >= $1 and r.id < $2
        and ((r.status in ('completed', 'failed', 'cancelled', 'timed_out')) <> (r.finished_at is not null)
             or r.finished_at < r.started_at or r.started_at < r.created_at - interval '1 second')) as breach
