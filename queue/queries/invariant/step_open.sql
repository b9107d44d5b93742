-- Steps that go on in runs that are over. $1, $2: ids of runs.
select count(*) as "breaches!", coalesce((array_agg(what))[1:10], '{}') as "examples!"
from (select s.run_id || ' ' || s.name || ' is ' || s.status || ' in a run that is ' || r.status as what
      from stepwell.step s
      join stepwell.run r on r.id = s.run_id
      where s.run_id >= $1 and s.run_id < $2 and r.id >= $1 and r.id < $2
        and s.status in ('pending', 'running', 'waiting', 'paused')
        and r.finished_at is not null and s.generation = r.generation) as breach
