-- Makes jobs of one worker due for others. Its last commit may have gone further than the job row says,
-- so the sequence and the start are taken from the records.
update stepwell.job j
set state = 'ready', worker_id = null, deaths = j.deaths + $3,
    started_at = coalesce(j.started_at, (select min(a.at) from stepwell.audit a
                                         where a.entity_id = j.run_id and a.sequence > j.sequence
                                           and a.action = 'run.started')),
    sequence = greatest(j.sequence, (select max(a.sequence) from stepwell.audit a where a.entity_id = j.run_id))
where j.run_id = any ($1) and j.state = 'leased' and j.worker_id = $2
returning j.queue
