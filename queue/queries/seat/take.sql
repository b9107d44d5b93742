-- Takes free seats at an agent for a worker, and nobody waits for anybody. $3: seats that there are
-- now; $4: how many are wanted. The worker's row is locked against being marked dead: a dead worker's
-- seats are free. $5: the worker's epoch, so that nothing that arrives late takes one.
with me as materialized (
    select id from stepwell.worker
    where id = $2 and epoch = $5 and status in ('alive', 'draining')
    for key share
),
free as materialized (
    select s.number from stepwell.seat s
    where s.agent_id = $1 and s.number <= $3
      and (s.worker_id is null
           or not exists (select from stepwell.worker w
                          where w.id = s.worker_id and w.status in ('alive', 'draining')))
    order by s.number
    limit $4
    for update of s skip locked
)
update stepwell.seat s
set worker_id = me.id
from free f, me
where s.agent_id = $1 and s.number = f.number
returning s.number
