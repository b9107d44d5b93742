-- Due runs of a queue whose workers died, those that are next first. $1: the queue, $2: how many of which one worker
-- died, $3: how many of which more did.
(select run_id from stepwell.job
 where deaths > 0 and state in ('ready', 'timed') and queue = $1 and deaths = 1 and (state = 'ready' or run_at <= now())
 order by rank, run_id limit $2)
union all
(select run_id from stepwell.job
 where deaths > 0 and state in ('ready', 'timed') and queue = $1 and deaths > 1 and (state = 'ready' or run_at <= now())
 order by rank, run_id limit $3)
