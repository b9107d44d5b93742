-- Gives the free places of one key to those who wait for them, the first to come first. The caller
-- holds the lock of the key.
with waiting as (
    select run_id, most, row_number() over (order by turn) as nth
    from stepwell.place
    where workflow_id = $1 and key = $2 and not held
),
holders as (
    select count(*) as number from stepwell.place where workflow_id = $1 and key = $2 and held
)
update stepwell.place p
set held = true
from waiting w, holders h
where p.run_id = w.run_id and h.number + w.nth <= w.most
returning p.run_id
