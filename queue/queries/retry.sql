-- Opens the next generation of a run that is over. What both doors do is told in
-- migrations/V8__sql_door.sql. $2: from_step, $3: reset, $4: actor, $5: request id.
select outcome as "outcome!", status, generation, queue, holder
from stepwell.open_generation($1, $2::text, $3, $4::text, $5::text)
