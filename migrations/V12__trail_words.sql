-- What is said of a run is true when it is read late. The records of one that no driver has had say how it stood. A
-- retry keeps when the generation before began and ended. A claim of a delivery is no attempt. What crosses with a
-- run's end goes with it. And what the daily look at the invariants found is kept for whoever asks.

-- As before, but a run that is paused is not cancelled from "pending", and its messages go with its job (`job_gone`).
create or replace function stepwell.cancel_unbegun(
        run uuid, reason text, actor text, request_id text,
        out awaited boolean, out parent_queue text, out parent_leased uuid,
        out place_workflow uuid, out place_key text) returns setof record
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with gone as (
        delete from stepwell.job j
        where j.run_id = cancel_unbegun.run and j.fresh and j.state in ('ready', 'timed')
        returning j.run_id, j.awaited, j.sequence, j.paused
    ),
    over as (
        update stepwell.run r
        set status = 'cancelled', finished_at = greatest(clock_timestamp(), r.created_at), cancelled_by = cancel_unbegun.actor,
            cancel_reason = cancel_unbegun.reason, sequence = gone.sequence + 1
        from gone
        where r.id = cancel_unbegun.run and r.id = gone.run_id and r.status = 'pending'
        returning r.id, r.workflow_id, r.dedupe_key, r.parent_id, r.parent_step, r.parent_item, r.sequence,
                  case when gone.paused then 'paused' else 'pending' end as stood
    ),
    freed as (
        delete from stepwell.dedupe d using over o
        where o.dedupe_key is not null and d.workflow_id = o.workflow_id and d.key = o.dedupe_key and d.run_id = o.id
    ),
    left_place as (
        delete from stepwell.place p using over o where p.run_id = o.id
        returning p.workflow_id, p.key
    ),
    written as (
        insert into stepwell.audit
            (id, entity_type, entity_id, sequence, action, before, after, detail, actor, request_id)
        select stepwell.uuid7(), 'run', o.id, o.sequence, 'run.cancelled', to_json(o.stood), '"cancelled"',
               case when cancel_unbegun.reason is not null
                   then json_build_object('reason', cancel_unbegun.reason) end,
               cancel_unbegun.actor, cancel_unbegun.request_id
        from over o
    ),
    parent as (
        update stepwell.job j
        set messages = j.messages + 1,
            state = (case when j.state in ('timed', 'parked') then 'ready' else j.state::text end)::stepwell.job_state,
            run_at = null,
            blocked_on = null
        from over o
        where j.run_id = o.parent_id
        returning j.run_id, j.queue, j.state, o.id as child_id, o.parent_step, o.parent_item
    ),
    told as (
        insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
        select p.run_id, 'child_ended',
               json_build_object('step', p.parent_step, 'item', p.parent_item, 'child_run_id', p.child_id,
                   'failure', json_build_object('type', 'child_failed',
                       'message', 'the child run was cancelled', 'retryable', false)),
               'run:' || p.child_id, cancel_unbegun.request_id
        from parent p
    )
    select g.awaited,
           (select p.queue from parent p where p.state = 'ready'),
           (select p.run_id from parent p where p.state = 'leased'),
           (select p.workflow_id from left_place p),
           (select p.key from left_place p)
    from gone g;
end $$;

-- As before, and its record keeps the times of the generation that is over: the run's row forgets them, and an
-- event of that end may be made later.
create or replace function stepwell.open_generation(
        run uuid, from_step text, reset boolean, actor text, request_id text,
        out outcome text, out status text, out generation int, out queue text, out holder uuid)
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    old record;
begin
    select r.status, r.generation, r.sequence, r.queue, r.priority, r.workflow_id, r.dedupe_key,
           r.started_at, r.finished_at into old
    from stepwell.run r where r.id = open_generation.run for update;
    if not found then
        outcome := 'not_found';
        return;
    end if;
    status := old.status::text;
    if old.status not in ('failed', 'cancelled', 'timed_out') then
        outcome := case old.status when 'completed' then 'completed' else 'not_over' end;
        return;
    end if;
    if old.dedupe_key is not null then
        insert into stepwell.dedupe (workflow_id, key, run_id)
        values (old.workflow_id, old.dedupe_key, open_generation.run)
        on conflict (workflow_id, key) do nothing;
        select d.run_id into holder from stepwell.dedupe d
        where d.workflow_id = old.workflow_id and d.key = old.dedupe_key and d.run_id <> open_generation.run;
        if found then
            outcome := 'duplicate';
            return;
        end if;
    end if;
    outcome := 'accepted';
    generation := old.generation + 1;
    queue := old.queue;
    delete from stepwell.inbox i where i.run_id = open_generation.run;
    update stepwell.run r
    set status = 'pending', generation = open_generation.generation, sequence = old.sequence + 1,
        finished_at = null, started_at = null, error = null, output = null, cancelled_by = null, cancel_reason = null
    where r.id = open_generation.run;
    insert into stepwell.job (run_id, queue, state, rank, messages, fresh, sequence)
    values (open_generation.run, old.queue, 'ready', -old.priority, 1, false, old.sequence + 1);
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    values (open_generation.run, 'retry',
            json_build_object('from_step', open_generation.from_step, 'reset', open_generation.reset),
            open_generation.actor, open_generation.request_id);
    insert into stepwell.audit
        (id, entity_type, entity_id, sequence, action, before, after, detail, actor, request_id)
    values (stepwell.uuid7(), 'run', open_generation.run, old.sequence + 1, 'run.retry_requested',
            to_json(old.status), '"pending"', json_build_object('generation', open_generation.generation,
                'last_started_at', old.started_at, 'last_finished_at', old.finished_at),
            open_generation.actor, open_generation.request_id);
end $$;

-- What a run that is over was to hear goes with its job. The statement that ends a run deletes what it sees, but a
-- sender holds the job's lock until it commits: the end waits for that, and then sees the message counted and not the
-- message. A trigger's statement sees it. Runs that end with nothing unread, as most do, do not come here.
create function stepwell.job_gone() returns trigger
    language plpgsql as $$
begin
    delete from stepwell.inbox where run_id = old.run_id;
    return null;
end $$;
create trigger job_gone after delete on stepwell.job
    for each row when (old.messages > 0) execute function stepwell.job_gone();

-- So often it was taken: names the claim of who sends it. `attempts` counts those whose outcome is known.
alter table stepwell.delivery add column lease int not null default 0;

-- What the last daily look found, a row for each check, so that every API tells it, whoever looked.
create table stepwell.invariant (
    name       text primary key,
    breaches   bigint not null,             -- of what was looked at
    complete   boolean not null,            -- else it took too long, and there may be more
    checked_at timestamptz not null
);
-- The look itself: the first one is due when a day has passed.
insert into stepwell.invariant values ('look', 0, true, now());
comment on table stepwell.invariant is 'What the last daily look at the invariants found: stepwell doctor --deep looks anew.';
-- The new column of `delivery` is for readers too.
select stepwell.grant_roles();
