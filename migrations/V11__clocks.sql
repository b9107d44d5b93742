-- How wrong the clocks of workers' hosts are, and one definition of how a worker stands.

-- By so much its host's clock is ahead of ours, as of its last heartbeat; null: not known yet.
alter table stepwell.worker add column clock_skew_ms int;

-- Everybody who lists or counts workers reads this: one that is silent for too long is dead, also before somebody
-- marks it so, and what it holds is counted where it is held.
create or replace view stepwell.v_workers as
select w.id, w.number, w.name, w.version, stands.status, w.queues, w.slots, coalesce(held.runs, 0) as running,
       w.registered_at, w.seen_at, w.ended_at,
       w.seen_at + w.dead_after_ms * interval '1 ms' as dead_at,
       w.clock_skew_ms,
       case when stands.status in ('alive', 'draining') then w.rates else '{}' end as rates
from stepwell.worker w
cross join lateral (
    select case when w.status in ('alive', 'draining') and w.seen_at <= now() - w.dead_after_ms * interval '1 ms'
                then 'dead' else w.status end as status
) as stands
left join (
    select j.worker_id, count(*)::int as runs from stepwell.job j where j.state = 'leased' group by j.worker_id
) as held on held.worker_id = w.id;
comment on column stepwell.v_workers.status is 'alive, draining, dead (silent for too long, marked so or not) or gone (stopped in order).';
comment on column stepwell.v_workers.clock_skew_ms is 'How far its host''s clock is ahead of the database''s, as of its last sign of life; null: not known yet. Nothing is timed by it.';
comment on column stepwell.v_workers.rates is 'Runs taken up in a second, lately, by queue.';
