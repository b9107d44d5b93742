-- Marks a silent worker dead, unless it was heard meanwhile. FOR UPDATE conflicts with the key-share locks of its
-- commits, which the update alone would not: it waits for those in flight, and later ones see the new status. One
-- statement, so that a rescuer that is frozen holds no lock; how long it waits is set within it, before the lock is
-- asked for. $1: the worker, $2: how long to wait, $3: the actor.
with patience as materialized (
    select set_config('lock_timeout', $2, true) as set
),
silent as materialized (
    select w.id, w.name, w.seen_at, w.status
    from patience p
    join stepwell.worker w on w.id = $1 and p.set is not null
    where w.freed_at is null and w.status in ('alive', 'draining')
      and w.seen_at < now() - make_interval(secs => w.dead_after_ms / 1000.0)
    for update of w
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
