-- Takes idempotency and dedupe keys for new runs, before the runs are written in the same
-- transaction. A run whose keys are all new is admitted; one that finds a key taken takes none.
-- The caller gives each key once. A key taken between our snapshot and our insert leaves its row
-- out of `keyed` or `held`: the caller then rolls back and asks again.
with new as materialized (
    select *
    from unnest($1::int[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bytea[], $8::smallint[],
                $9::text[], $10::text[])
        as n (place, id, workflow_id, dedupe_key, scope, key, fingerprint, status, location, body)
),
free as materialized (
    select * from new n
    where not exists (select from stepwell.idempotency i where i.scope = n.scope and i.key = n.key)
      and not exists (select from stepwell.dedupe d where d.workflow_id = n.workflow_id and d.key = n.dedupe_key)
),
keyed as (
    insert into stepwell.idempotency (scope, key, fingerprint, status, location, body)
    select scope, key, fingerprint, status, location, body::json
    from free where key is not null
    order by scope, key                             -- against deadlocks
    on conflict do nothing
    returning scope, key
),
held as (
    insert into stepwell.dedupe (workflow_id, key, run_id)
    select workflow_id, dedupe_key, id
    from free where dedupe_key is not null
    order by workflow_id, dedupe_key
    on conflict do nothing
    returning run_id
)
select f.place as "place!",
       (f.key is null or exists (select from keyed k where k.scope = f.scope and k.key = f.key)) as "keyed!",
       (f.dedupe_key is null or exists (select from held h where h.run_id = f.id)) as "held!"
from free f
