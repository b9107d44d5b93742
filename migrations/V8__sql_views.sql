-- The door for SQL, second part: views that say where everything stands. docs/sql.md documents every column.

-- As the lists of the API do it: runs by id, each with its job row while it lives. A page of the newest
-- reads no more than it shows; steps are counted for the rows that are shown alone.
create view stepwell.v_runs as
select r.id, r.workflow_id, r.workflow_name, r.version,
       case when r.status <> 'pending' then r.status::text
            when j.state = 'leased' then 'running'
            when j.paused then 'paused'
            when j.state in ('timed', 'parked') then 'waiting'
            when j.state = 'ready' and j.started_at is null then 'pending'
            else 'running' end as status,
       case when j.state <> 'leased' and (j.paused or j.state in ('timed', 'parked')) then
           coalesce(j.blocked_on, json_build_object('kind', case when j.paused then 'paused' else 'run_at' end,
               'since', r.created_at, 'until', j.run_at, 'detail', null)) end as blocked_on,
       r.input, r.output, r.error, coalesce(r.labels, '{}') as labels, r.priority, r.queue, r.generation,
       r.parent_id, r.forked_from, r.dedupe_key, r.timeout_ms, r.created_at, coalesce(r.started_at, j.started_at) as started_at,
       r.finished_at, r.triggered_by, r.request_id, r.cancelled_by, r.cancel_reason, r.steps_total,
       (select count(*)::int
        from unnest(array_fill(0, array[r.steps_total])) with ordinality as place (nothing, number)
        cross join lateral (
            select s.status from stepwell.step s
            where s.run_id = r.id and s.step = (place.number - 1)::smallint and s.item = -1
            order by s.generation desc limit 1) as newest
        where newest.status in ('completed', 'failed', 'cancelled', 'timed_out', 'skipped')) as steps_done,
       j.worker_id
from stepwell.run r
left join stepwell.job j on j.run_id = r.id;

-- The same of few runs, from where they are few: a status that is rare among all runs is found at once.
create view stepwell.v_live as
select j.run_id as id, r.workflow_id, r.workflow_name, r.version,
       case when j.state = 'leased' then 'running'
            when j.paused then 'paused'
            when j.state in ('timed', 'parked') then 'waiting'
            when j.started_at is null then 'pending'
            else 'running' end as status,
       case when j.state <> 'leased' and (j.paused or j.state in ('timed', 'parked')) then
           coalesce(j.blocked_on, json_build_object('kind', case when j.paused then 'paused' else 'run_at' end,
               'since', r.created_at, 'until', j.run_at, 'detail', null)) end as blocked_on,
       r.input, r.output, r.error, coalesce(r.labels, '{}') as labels, r.priority, j.queue, r.generation,
       r.parent_id, r.forked_from, r.dedupe_key, r.timeout_ms, r.created_at, coalesce(r.started_at, j.started_at) as started_at,
       r.finished_at, r.triggered_by, r.request_id, r.cancelled_by, r.cancel_reason, r.steps_total,
       (select count(*)::int
        from unnest(array_fill(0, array[r.steps_total])) with ordinality as place (nothing, number)
        cross join lateral (
            select s.status from stepwell.step s
            where s.run_id = r.id and s.step = (place.number - 1)::smallint and s.item = -1
            order by s.generation desc limit 1) as newest
        where newest.status in ('completed', 'failed', 'cancelled', 'timed_out', 'skipped')) as steps_done,
       j.worker_id
from stepwell.job j
join stepwell.run r on r.id = j.run_id;
create view stepwell.v_failed as
select o.run_id as id, o.workflow_id, r.workflow_name, r.version, o.status::text as status, null::json as blocked_on,
       r.input, r.output, r.error, coalesce(r.labels, '{}') as labels, r.priority, r.queue, r.generation,
       r.parent_id, r.forked_from, r.dedupe_key, r.timeout_ms, r.created_at, r.started_at,
       r.finished_at, r.triggered_by, r.request_id, r.cancelled_by, r.cancel_reason, r.steps_total,
       (select count(*)::int
        from unnest(array_fill(0, array[r.steps_total])) with ordinality as place (nothing, number)
        cross join lateral (
            select s.status from stepwell.step s
            where s.run_id = r.id and s.step = (place.number - 1)::smallint and s.item = -1
            order by s.generation desc limit 1) as newest
        where newest.status in ('completed', 'failed', 'cancelled', 'timed_out', 'skipped')) as steps_done,
       null::uuid as worker_id
from stepwell.run_outcome o
join stepwell.run r on r.id = o.run_id;
-- How many are of which status, so that a page is read no further than it goes.
create statistics stepwell.run_outcome_status on (status::text) from stepwell.run_outcome;

-- A step whose attempt a live worker makes elsewhere runs, although its row, which its driver wrote, says that
-- it waits. JSON is compared as text: a \u0000 somewhere in it is no text to Postgres.
create view stepwell.v_steps as
select s.run_id, s.step as place, nullif(s.item, -1) as item, s.name, s.kind as type,
       case when maker.id is not null then 'running' else s.status::text end as status,
       case when waits.kind is not null then json_build_object(
           'kind', waits.kind, 'since', s.started_at, 'until', s.wake_at,
           'detail', case
               when waits.kind = 'child' then s.child_run_id::text
               when waits.kind = 'queue' then d.lane
               when waits.kind in ('signal', 'approval', 'external') then coalesce(d.lane, (
                   select trim('"' from coalesce(at.config -> 'signal', at.config -> 'topic',
                       case when waits.kind = 'approval' then at.name end)::text)
                   from stepwell.run r
                   join stepwell.workflow_version v on v.workflow_id = r.workflow_id and v.version = r.version,
                   lateral json_array_elements(v.definition -> 'steps') as defined (step),
                   -- Of a map, what its items are.
                   lateral (select defined.step -> 'name' as name,
                       coalesce(defined.step #> '{config,step,config}', defined.step -> 'config') as config) as at
                   where r.id = s.run_id and at.name::text = '"' || regexp_replace(s.name, '\[\d+\]$', '') || '"')) end) end
           as blocked_on,
       s.generation, s.attempt, s.max_attempts, s.input, s.output, s.error, s.started_at, s.finished_at,
       (extract(epoch from s.finished_at - s.started_at) * 1000)::bigint as duration_ms,
       case when waits.kind in ('retry', 'agent') then s.wake_at end as next_attempt_at,
       s.child_run_id, coalesce(maker.id, s.worker_id) as worker_id
from stepwell.step s
left join stepwell.detached d
    on d.run_id = s.run_id and d.step = s.step and d.item = s.item and d.generation = s.generation and s.status = 'waiting'
left join stepwell.worker maker
    on maker.id = d.worker_id and maker.status in ('alive', 'draining')
    and maker.seen_at > now() - maker.dead_after_ms * interval '1 ms'
cross join lateral (
    select case
        when s.status = 'paused' then 'paused'
        when s.status <> 'waiting' or maker.id is not null then null
        when s.kind = 'delay' then 'delay'
        -- What is asked is the input of the step; other waits have none.
        when s.kind = 'wait' then case when s.input is null then 'signal' else 'approval' end
        -- Between two children it is the next attempt that is awaited.
        when s.kind = 'workflow' and s.child_run_id is not null then 'child'
        when s.kind = 'map' then 'items'
        when s.kind = 'agent' and (s.error -> 'type')::text = '"agent_busy"' then 'agent'
        -- After a failed attempt the error says so; an attempt that is made elsewhere has none.
        when s.error is null and s.kind = 'external' then 'external'
        -- What is put up on a queue has no end of its own.
        when s.error is null and s.kind in ('agent', 'http', 'webhook', 'task') then
            case when s.wake_at is null then 'queue' else 'callback' end
        else 'retry' end as kind
) as waits
where not exists (
    select from stepwell.step n
    where n.run_id = s.run_id and n.step = s.step and n.item = s.item and n.generation > s.generation);

create view stepwell.v_workers as
select w.id, w.number, w.name, w.version, w.status, w.queues, w.slots, coalesce(held.runs, 0) as running,
       w.registered_at, w.seen_at, w.ended_at,
       w.seen_at + w.dead_after_ms * interval '1 ms' as dead_at
from stepwell.worker w
left join (
    select j.worker_id, count(*)::int as runs from stepwell.job j where j.state = 'leased' group by j.worker_id
) as held on held.worker_id = w.id;

create view stepwell.v_queues as
select q.name, q.ready, q.overdue, q.put_up, q.ready + q.overdue + q.put_up as depth, q.soon, q.timed, q.parked,
       q.leased, q.making, q.leased + q.making as running,
       least(q.oldest_overdue, q.oldest_put_up, (
           -- One probe of the index for each priority that there is.
           with recursive first as (
               (select j.rank, j.run_id from stepwell.job j
                where j.state = 'ready' and j.queue = q.name order by j.rank, j.run_id limit 1)
               union all
               select n.rank, n.run_id from first
               cross join lateral (
                   select j.rank, j.run_id from stepwell.job j
                   where j.state = 'ready' and j.queue = q.name and j.rank > first.rank
                   order by j.rank, j.run_id limit 1) as n)
           select min(stepwell.uuid7_time(first.run_id)) from first)) as oldest_due,
       (select count(*)::int from stepwell.worker w
        where w.freed_at is null and w.status = 'alive' and q.name = any (w.queues)
          and w.seen_at > now() - w.dead_after_ms * interval '1 ms') as workers,
       (select coalesce(sum((w.rates ->> q.name)::float8), 0) from stepwell.worker w
        where w.freed_at is null and w.status = 'alive'
          and w.seen_at > now() - w.dead_after_ms * interval '1 ms') as rate,
       decided.paused_at, decided.paused_by, decided.max_running
from (
    -- One pass over the jobs and over what is made elsewhere gives names and numbers.
    select known.name, sum(known.ready)::bigint as ready, sum(known.overdue)::bigint as overdue, sum(known.soon)::bigint as soon,
           sum(known.timed)::bigint as timed, sum(known.parked)::bigint as parked, sum(known.leased)::bigint as leased,
           sum(known.put_up)::bigint as put_up, sum(known.making)::bigint as making,
           min(known.oldest_overdue) as oldest_overdue, min(known.oldest_put_up) as oldest_put_up
    from (
        select j.queue as name, count(*) filter (where j.state = 'ready') as ready,
               count(*) filter (where j.state = 'timed' and j.run_at <= now()) as overdue,
               count(*) filter (where j.state = 'timed' and j.run_at > now() and j.run_at <= now() + interval '30 seconds') as soon,
               count(*) filter (where j.state = 'timed' and j.run_at > now()) as timed,
               count(*) filter (where j.state = 'parked') as parked,
               count(*) filter (where j.state = 'leased') as leased,
               min(j.run_at) filter (where j.state = 'timed' and j.run_at <= now()) as oldest_overdue,
               0 as put_up, 0 as making, null::timestamptz as oldest_put_up
        from stepwell.job j group by j.queue
        union all
        -- Of a paused run nobody takes what is put up.
        select d.lane, 0, 0, 0, 0, 0, 0, null, count(*) filter (where held.run_id is null), 0,
               min(d.due_at) filter (where held.run_id is null)
        from stepwell.detached d
        left join stepwell.job held on held.run_id = d.run_id and held.paused
        where d.kind = 'queue' and d.worker_id is null group by d.lane
        union all
        select d.lane, 0, 0, 0, 0, 0, 0, null, 0, count(*), null
        from stepwell.detached d where d.worker_id is not null group by d.lane
        union all
        select d.name, 0, 0, 0, 0, 0, 0, null, 0, 0, null from stepwell.queue d
        union all
        select unnest(w.queues), 0, 0, 0, 0, 0, 0, null, 0, 0, null
        from stepwell.worker w where w.freed_at is null and w.status = 'alive'
          and w.seen_at > now() - w.dead_after_ms * interval '1 ms'
    ) as known
    group by known.name
) as q
left join stepwell.queue decided on decided.name = q.name;

-- Every run that does not move. A run is due when nothing of its own holds it back: then it waits for
-- its queue. The job row does not say since when; the last record does. A run moves that a live worker holds,
-- and one of which a live worker makes an attempt elsewhere.
create view stepwell.v_blocked as
select j.run_id, r.workflow_name, j.queue, b.kind, b.since, b.until, b.detail
from stepwell.job j
join stepwell.run r on r.id = j.run_id
left join stepwell.worker w on w.id = j.worker_id
left join stepwell.queue q on q.name = j.queue
left join (
    select distinct unnest(a.queues) as queue from stepwell.worker a
    where a.freed_at is null and a.status = 'alive' and a.seen_at > now() - a.dead_after_ms * interval '1 ms'
) as served on served.queue = j.queue
left join (
    select l.queue, count(*) as runs from stepwell.job l where l.state = 'leased' group by l.queue
) as held on held.queue = j.queue
left join (
    select distinct d.run_id from stepwell.detached d
    join stepwell.worker a on a.id = d.worker_id
    where a.status in ('alive', 'draining') and a.seen_at > now() - a.dead_after_ms * interval '1 ms'
) as made on made.run_id = j.run_id
cross join lateral (
    -- Something of the run itself holds it back.
    select j.paused or j.state = 'parked' or coalesce(j.run_at > now(), false) as rests
) as own
left join lateral (
    -- What the first attempt that is put up lacks.
    select d.lane, l.paused_at,
           case when l.paused_at is not null then 'queue_paused'
                when not exists (
                    select from stepwell.worker a
                    where a.freed_at is null and a.status = 'alive' and d.lane = any (a.queues)
                      and a.seen_at > now() - a.dead_after_ms * interval '1 ms') then 'no_worker' end as kind
    from stepwell.detached d
    left join stepwell.queue l on l.name = d.lane
    where own.rests and not j.paused and j.blocked_on ->> 'kind' = 'queue' and d.run_id = j.run_id and d.kind = 'queue'
    order by d.step, d.item
    limit 1
) as put on put.kind is not null
cross join lateral (
    select case
        when j.state = 'leased' then 'worker_lost'
        when put.kind is not null then put.kind
        when own.rests then coalesce(j.blocked_on ->> 'kind', case when j.paused then 'paused' else 'run_at' end)
        when q.paused_at is not null then 'queue_paused'
        when served.queue is null then 'no_worker'
        when q.max_running is not null and q.max_running <= coalesce(held.runs, 0) then 'queue_limit'
        else 'slot'
    end as kind
) as k
cross join lateral (
    select k.kind,
        case
        when k.kind = 'worker_lost' then w.seen_at
        when put.kind is not null then greatest((j.blocked_on ->> 'since')::timestamptz, put.paused_at)
        when own.rests then coalesce((j.blocked_on ->> 'since')::timestamptz, r.created_at)
        when k.kind = 'queue_paused' then greatest(q.paused_at, j.run_at, r.created_at)
        when j.run_at is not null then j.run_at
        when j.fresh then r.created_at
        else coalesce((select a.at from stepwell.audit a where a.entity_id = j.run_id
                       and a.id >= stepwell.uuid7_bound(r.created_at - interval '1 hour')
                       order by a.sequence desc limit 1), r.created_at) end as since,
        case
        when k.kind = 'worker_lost' then w.seen_at + w.dead_after_ms * interval '1 ms'
        when put.kind is not null then null
        when own.rests then case when j.blocked_on is null then j.run_at else (j.blocked_on ->> 'until')::timestamptz end
        end as until,
        case
        when k.kind = 'worker_lost' then w.name
        when put.kind is not null then put.lane
        when own.rests then j.blocked_on ->> 'detail'
        else j.queue end as detail
) as b
where case
    when j.state = 'leased' then w.status not in ('alive', 'draining') or w.seen_at < now() - w.dead_after_ms * interval '1 ms'
    else made.run_id is null or j.paused or not own.rests end;

create view stepwell.v_schedules as
select s.id, s.name, s.workflow, s.version, s.input, s.cron, s.time_zone, s.overlap, s.catch_up, s.labels, s.queue, s.priority,
       s.status, s.next_at, s.last_at, s.last_run_id, s.last_error
from stepwell.schedule s;

create view stepwell.v_audit as
select a.id, a.at, a.entity_type, a.entity_id, a.sequence, a.step, a.action, a.before, a.after, a.detail,
       a.actor, a.request_id, a.xid as transaction_id
from stepwell.audit a;

-- The contract, column by column; docs/sql.md tells the same.
comment on view stepwell.v_runs is 'Runs as they stand now.';
comment on column stepwell.v_runs.id is 'UUIDv7 of the run.';
comment on column stepwell.v_runs.workflow_id is 'The workflows id.';
comment on column stepwell.v_runs.workflow_name is 'The workflow''s slug at the time.';
comment on column stepwell.v_runs.version is 'The version of the workflow that it runs.';
comment on column stepwell.v_runs.status is 'pending, running, waiting, paused, completed, failed, cancelled or timed_out.';
comment on column stepwell.v_runs.blocked_on is 'Of a waiting or paused run: {kind, since, until, detail}; else null.';
comment on column stepwell.v_runs.input is 'What went in.';
comment on column stepwell.v_runs.output is 'What came out, of a run that is over.';
comment on column stepwell.v_runs.error is '{type, message, step, retryable}, of a run that did not complete.';
comment on column stepwell.v_runs.labels is 'Words that its caller put on it; {} where there are none.';
comment on column stepwell.v_runs.priority is '-100 to 100; the highest is next.';
comment on column stepwell.v_runs.queue is 'The lane of workers that takes it.';
comment on column stepwell.v_runs.generation is '1 at first; a retry opens the next.';
comment on column stepwell.v_runs.parent_id is 'The run whose step waits for this one.';
comment on column stepwell.v_runs.forked_from is 'The run whose finished steps it took over, or that it appeals.';
comment on column stepwell.v_runs.dedupe_key is 'At most one live run of the workflow has it.';
comment on column stepwell.v_runs.timeout_ms is 'Milliseconds it may take, where its caller said so in place of the workflow.';
comment on column stepwell.v_runs.created_at is 'When it was asked for.';
comment on column stepwell.v_runs.started_at is 'When a worker began this generation.';
comment on column stepwell.v_runs.finished_at is 'When it was over; null until then.';
comment on column stepwell.v_runs.triggered_by is 'Who asked for it; sql:<role> for stepwell.execute.';
comment on column stepwell.v_runs.request_id is 'Of the request that made it.';
comment on column stepwell.v_runs.cancelled_by is 'Who cancelled it.';
comment on column stepwell.v_runs.cancel_reason is 'Why.';
comment on column stepwell.v_runs.steps_total is 'Steps of the workflow; the items of maps are not counted.';
comment on column stepwell.v_runs.steps_done is 'Those of them that are over.';
comment on column stepwell.v_runs.worker_id is 'The worker that holds it now.';

comment on view stepwell.v_live is 'Runs that are not over: v_runs, read from the jobs.';
comment on view stepwell.v_failed is 'Runs that failed, were cancelled or timed out: v_runs, read from run_outcome.';
do $$
declare
    told record;
begin
    for told in
        select view, attname as name, col_description(attrelid, attnum) as words
        from unnest(array['v_live', 'v_failed']) as view, pg_attribute
        where attrelid = 'stepwell.v_runs'::regclass and attnum > 0
    loop
        execute format('comment on column stepwell.%I.%I is %L', told.view, told.name, told.words);
    end loop;
end $$;

comment on view stepwell.v_steps is 'Steps in their newest generation, and the items of maps. A step that has not begun has no row.';
comment on column stepwell.v_steps.run_id is 'The run.';
comment on column stepwell.v_steps.place is 'Its place in the plan, from 0: the order in which steps may begin.';
comment on column stepwell.v_steps.item is 'The place in the list, from 0, of an item of a map; null of the step itself.';
comment on column stepwell.v_steps.name is 'score, or score[17] of an item.';
comment on column stepwell.v_steps.type is 'The type in the definition.';
comment on column stepwell.v_steps.status is 'A run''s statuses, and skipped. running too while a live worker makes its attempt elsewhere.';
comment on column stepwell.v_steps.blocked_on is 'Of a waiting or paused step: {kind, since, until, detail}; else null. docs/sql.md lists the kinds.';
comment on column stepwell.v_steps.generation is 'The run''s generation in which it ran.';
comment on column stepwell.v_steps.attempt is 'The last attempt begun, from 1; 0 when none was.';
comment on column stepwell.v_steps.max_attempts is 'How many there may be.';
comment on column stepwell.v_steps.input is 'What it was called with.';
comment on column stepwell.v_steps.output is 'What it came to.';
comment on column stepwell.v_steps.error is '{type, message, step, retryable}.';
comment on column stepwell.v_steps.started_at is 'When its first attempt began.';
comment on column stepwell.v_steps.finished_at is 'When it was over.';
comment on column stepwell.v_steps.duration_ms is 'Milliseconds from the one to the other.';
comment on column stepwell.v_steps.next_attempt_at is 'When an attempt that failed, or found no seat at its agent, is made again.';
comment on column stepwell.v_steps.child_run_id is 'The run that a step of type workflow started.';
comment on column stepwell.v_steps.worker_id is 'The worker that makes its attempt elsewhere, else the one that wrote the row.';

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

comment on view stepwell.v_queues is 'Queues that have runs, attempts or live workers, or of which somebody decided something.';
comment on column stepwell.v_queues.name is 'The name.';
comment on column stepwell.v_queues.ready is 'Runs that are due.';
comment on column stepwell.v_queues.overdue is 'Runs whose time has come, and that no worker has taken yet.';
comment on column stepwell.v_queues.put_up is 'Attempts that are put up on it (by a step with a queue, or a map that is shared) and that no worker has taken yet; those of paused runs are not counted.';
comment on column stepwell.v_queues.depth is 'ready, overdue and put_up: what waits for workers now.';
comment on column stepwell.v_queues.soon is 'Runs whose time comes within 30 seconds, in which a worker starts. They are among the timed.';
comment on column stepwell.v_queues.timed is 'Runs that wait for a time.';
comment on column stepwell.v_queues.parked is 'Runs that wait for a signal, a child, a person or an attempt that is made elsewhere.';
comment on column stepwell.v_queues.leased is 'Runs that workers hold.';
comment on column stepwell.v_queues.making is 'Attempts put up on it that workers make.';
comment on column stepwell.v_queues.running is 'leased and making: what workers do now. For autoscaling, with depth and soon.';
comment on column stepwell.v_queues.oldest_due is 'When the oldest of what waits for workers was made or put up, or became due by its time.';
comment on column stepwell.v_queues.workers is 'Live workers that take from it.';
comment on column stepwell.v_queues.rate is 'Runs taken up in a second, lately, by all workers.';
comment on column stepwell.v_queues.paused_at is 'Nothing is taken from it since then; null: it is not paused.';
comment on column stepwell.v_queues.paused_by is 'Who paused it.';
comment on column stepwell.v_queues.max_running is 'How many of its runs workers may hold at once; null: as many as there are slots.';

comment on view stepwell.v_blocked is 'Every run that does not move, and why.';
comment on column stepwell.v_blocked.run_id is 'The run.';
comment on column stepwell.v_blocked.workflow_name is 'The workflow''s slug.';
comment on column stepwell.v_blocked.queue is 'Its queue.';
comment on column stepwell.v_blocked.kind is 'delay, retry, run_at: a time; signal, approval, paused: a person; child: another run; callback, external: a result from outside; queue: a worker takes its attempt when it has room; agent: its agent takes no more calls; concurrency: another run has its place; queue_paused, no_worker, queue_limit, slot: what its queue lacks, or the queue of its attempt; worker_lost: the worker that holds it is silent. docs/sql.md tells of each. Others may come.';
comment on column stepwell.v_blocked.since is 'Since when.';
comment on column stepwell.v_blocked.until is 'Until when at the latest; null: until somebody acts.';
comment on column stepwell.v_blocked.detail is 'The step, the signal, the child''s id, the topic, the concurrency key, the queue or the worker''s name.';

comment on view stepwell.v_schedules is 'What starts runs by the clock.';
comment on column stepwell.v_schedules.id is 'The schedule.';
comment on column stepwell.v_schedules.name is 'Its name, unique.';
comment on column stepwell.v_schedules.workflow is 'What it starts: slug or id, looked up at each firing.';
comment on column stepwell.v_schedules.version is 'Null: the latest.';
comment on column stepwell.v_schedules.input is 'The input of its runs.';
comment on column stepwell.v_schedules.cron is 'When, as a pattern.';
comment on column stepwell.v_schedules.time_zone is 'Of the pattern: an IANA name.';
comment on column stepwell.v_schedules.overlap is 'What happens while its last run is not over: allow, skip or cancel_running.';
comment on column stepwell.v_schedules.catch_up is 'Missed firings that are made up for.';
comment on column stepwell.v_schedules.labels is 'Of its runs.';
comment on column stepwell.v_schedules.queue is 'Of its runs.';
comment on column stepwell.v_schedules.priority is 'Of its runs.';
comment on column stepwell.v_schedules.status is 'active or paused.';
comment on column stepwell.v_schedules.next_at is 'The next firing; null when there is none.';
comment on column stepwell.v_schedules.last_at is 'The firing that the last run is of.';
comment on column stepwell.v_schedules.last_run_id is 'That run.';
comment on column stepwell.v_schedules.last_error is 'Why the last firing made no run; null when it did.';

comment on view stepwell.v_audit is 'The audit log: every change, never altered.';
comment on column stepwell.v_audit.id is 'UUIDv7, by the clock of the process that wrote it.';
comment on column stepwell.v_audit.at is 'When.';
comment on column stepwell.v_audit.entity_type is 'run, step, agent, workflow, worker, …';
comment on column stepwell.v_audit.entity_id is 'The entity; of a step its run.';
comment on column stepwell.v_audit.sequence is '1, 2, 3 … within the entity, without gaps.';
comment on column stepwell.v_audit.step is 'The step''s name, where it is about one.';
comment on column stepwell.v_audit.action is 'run.created, step.completed, …';
comment on column stepwell.v_audit.before is 'What it was, where it changed.';
comment on column stepwell.v_audit.after is 'What it became.';
comment on column stepwell.v_audit.detail is 'What else is worth knowing; never payloads.';
comment on column stepwell.v_audit.actor is 'Who: a key, worker:<number>, sql:<role>, …';
comment on column stepwell.v_audit.request_id is 'Of the request that carried the word.';
comment on column stepwell.v_audit.transaction_id is 'The transaction that wrote it.';
