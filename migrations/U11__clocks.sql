drop view stepwell.v_workers;
create view stepwell.v_workers as
select w.id, w.number, w.name, w.version, w.status, w.queues, w.slots, coalesce(held.runs, 0) as running,
       w.registered_at, w.seen_at, w.ended_at,
       w.seen_at + w.dead_after_ms * interval '1 ms' as dead_at
from stepwell.worker w
left join (
    select j.worker_id, count(*)::int as runs from stepwell.job j where j.state = 'leased' group by j.worker_id
) as held on held.worker_id = w.id;
comment on view stepwell.v_workers is 'Worker processes, those that ended included for 30 days.';
comment on column stepwell.v_workers.id is 'Fresh at each start of the process.';
comment on column stepwell.v_workers.number is 'What the audit calls it: worker:17.';
comment on column stepwell.v_workers.name is 'For people; the host name by default.';
comment on column stepwell.v_workers.version is 'Of Stepwell.';
comment on column stepwell.v_workers.status is 'alive, draining, dead (silent for too long) or gone (stopped in order).';
comment on column stepwell.v_workers.queues is 'The queues it takes runs from, in its order of preference.';
comment on column stepwell.v_workers.slots is 'Runs it can hold at once.';
comment on column stepwell.v_workers.running is 'Runs it holds now.';
comment on column stepwell.v_workers.registered_at is 'When it started.';
comment on column stepwell.v_workers.seen_at is 'Its last sign of life.';
comment on column stepwell.v_workers.ended_at is 'When it was gone or declared dead.';
comment on column stepwell.v_workers.dead_at is 'When it is declared dead unless it gives a sign before.';
-- What was granted on it went with it.
select stepwell.grant_roles();

alter table stepwell.worker drop column clock_skew_ms;
