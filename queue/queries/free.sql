-- Makes jobs of one worker due for others. Its last commit may have gone further than the job row says,
-- so the sequence and the start are taken from the records. A job that somebody has locked is left to the next
-- time: whoever locks it may be lost as well. $1: the runs, $2: the worker, $3: deaths to count.
with chosen as materialized (
    select run_id from stepwell.job
    where run_id = any ($1) and state = 'leased' and worker_id = $2
    order by run_id
    for update skip locked
)
update stepwell.job j
set state = 'ready', worker_id = null, deaths = j.deaths + $3,
    started_at = coalesce(j.started_at, (select min(a.at) from stepwell.audit a
                                         where a.entity_id = j.run_id and a.sequence > j.sequence
                                           and a.action = 'run.started')),
    sequence = greatest(j.sequence, (select max(a.sequence) from stepwell.audit a where a.entity_id = j.run_id))
from chosen c
where j.run_id = c.run_id
returning j.queue
