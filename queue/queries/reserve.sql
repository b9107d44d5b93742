-- Takes idempotency and dedupe keys for new runs, before the runs are written in the same
-- transaction. A run whose keys are all new is admitted; one that finds a key taken takes none.
-- The caller gives each key once. A key taken between our snapshot and our insert leaves its row
-- out of `keyed` or `held`: the caller then rolls back and asks again. What is taken is asked by scalar subqueries:
-- by `not exists`, Postgres goes through all keys for each run where an ANALYZE found none.
with new as materialized (
    select *
    from (select unnest($1::int[]) as place, unnest($2::uuid[]) as id, unnest($3::uuid[]) as workflow_id,
                 unnest($4::text[]) as dedupe_key, unnest($5::text[]) as scope, unnest($6::text[]) as key,
                 unnest($7::bytea[]) as fingerprint, unnest($8::smallint[]) as status, unnest($9::text[]) as location,
                 unnest($10::text[]) as body) as n
),
free as materialized (
    select * from new n
    where (select true from stepwell.idempotency i where i.scope = n.scope and i.key = n.key) is null
      and (select true from stepwell.dedupe d where d.workflow_id = n.workflow_id and d.key = n.dedupe_key) is null
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
