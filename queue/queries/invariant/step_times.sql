-- Steps whose status and times disagree, or that were tried too often. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select s.run_id || ' ' || s.name || ' is ' || s.status || ', attempt ' || s.attempt || ' of ' || s.max_attempts as what
      from stepwell.step s
      where s.run_id >= $1 and s.run_id < $2
        and (s.status in ('completed', 'failed', 'cancelled', 'timed_out') and s.finished_at is null
             or s.status in ('pending', 'running', 'waiting', 'paused') and s.finished_at is not null
             or s.finished_at < s.started_at
             or s.max_attempts > 0 and s.attempt > s.max_attempts)) as breach
