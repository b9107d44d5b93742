-- Ends a run that no driver has had. What both doors do is told in migrations/V8__sql_door.sql. $2: reason,
-- $3: actor, $4: request id.
select awaited as "awaited!", parent_queue, parent_leased, place_workflow, place_key
from stepwell.cancel_unbegun($1, $2::text, $3::text, $4::text)
