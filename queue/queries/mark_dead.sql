-- Marks silent workers dead. FOR UPDATE conflicts with the key-share locks of their commits, which the
-- update alone would not: it waits for those in flight, and later ones see the new status. $1: the
-- rescuer, $2: how many, $3: the actor.
with silent as materialized (
    select id, name, seen_at, status from stepwell.worker
    where freed_at is null and status in ('alive', 'draining') and id <> $1
      and seen_at < now() - make_interval(secs => dead_after_ms / 1000.0)
      and pg_postmaster_start_time() < now() - make_interval(secs => dead_after_ms / 1000.0)
    order by seen_at
    limit $2
    for update
),
dead as (
    update stepwell.worker w
    set status = 'dead', ended_at = now()
    from silent s
    where w.id = s.id
    returning w.id, s.name, s.seen_at, s.status as before
)
insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, detail, actor)
select (overlay(gen_random_uuid()::text placing
            regexp_replace(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0'),
                           '^(.{8})(.{4})$', '\1-\2-7') from 1 for 15))::uuid,
       'worker', id, 1 + (select count(*) from stepwell.audit a where a.entity_id = dead.id),
       'worker.died', to_json(before), '"dead"', json_build_object('name', name, 'seen_at', seen_at), $3
from dead
