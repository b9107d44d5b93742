-- Writes a message and makes a waiting job due. What both doors do is told in migrations/V8__sql_door.sql.
select queue as "queue!", leased as "leased!"
from stepwell.send($1, $2::text, $3::text::json, $4::text, $5::text)
