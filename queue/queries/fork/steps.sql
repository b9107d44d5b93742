-- Copies the results of steps that completed into another run. $3, $4: their places in the plans of the
-- two. No attempt of them was made in the new run, so the attempt is 0; of a map it also says that all
-- its items count. Items of an earlier list of the map are left behind.
insert into stepwell.step
    (run_id, child_run_id, started_at, finished_at, item, generation, status, step, attempt, max_attempts,
     name, kind, input, output, error)
select $2, s.child_run_id, s.started_at, s.finished_at, s.item, 1, s.status, k.there,
       case when s.item = -1 then 0 else s.attempt end, s.max_attempts, s.name, s.kind, s.input, s.output, s.error
from (select unnest($3::smallint[]) as here, unnest($4::smallint[]) as there) as k
cross join lateral (
    select distinct on (item) * from stepwell.step
    where step.run_id = $1 and step.step = k.here
    order by item, generation desc
) as s
where s.item = -1
   or s.generation >= (select m.attempt from stepwell.step m
                       where m.run_id = $1 and m.step = k.here and m.item = -1
                       order by m.generation desc limit 1)
