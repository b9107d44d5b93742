-- The tables of Stepwell. `job` is the queue: small, without foreign keys, indexed for the claim
-- alone. `run`, `step` and `audit` are the history: append-mostly, partitioned by the UUIDv7 that
-- leads their key, so that a lookup by id touches one partition and retention drops whole days.

create schema if not exists stepwell;

create type stepwell.run_status as enum
    ('pending', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled', 'timed_out');
create type stepwell.step_status as enum
    ('pending', 'running', 'waiting', 'paused', 'completed', 'failed', 'cancelled', 'timed_out', 'skipped');
create type stepwell.job_state as enum ('ready', 'timed', 'parked', 'leased');

-- The smallest UUIDv7 of an instant: the bounds of partitions and of time ranges over ids.
create function stepwell.uuid7_bound(at timestamptz) returns uuid
    language sql immutable strict parallel safe
    return (lpad(to_hex((extract(epoch from at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;

create table stepwell.agent (
    id              uuid primary key,
    name            text not null,
    url             text not null,
    health_path     text,
    description     text,
    auth_type       text not null default 'none' check (auth_type in ('none', 'bearer', 'api_key', 'basic')),
    auth_secret     bytea,          -- XChaCha20-Poly1305: key id, nonce, ciphertext of auth_config
    timeout_ms      bigint not null check (timeout_ms > 0),
    retry_config    json not null,
    max_concurrency int check (max_concurrency > 0),
    cancel          boolean not null default false,
    status          text not null default 'active' check (status in ('active', 'inactive')),
    revision        bigint not null default 1,      -- the ETag
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    deleted_at      timestamptz,
    check ((auth_type = 'none') = (auth_secret is null))
);
-- A deleted agent frees its name.
create unique index agent_name on stepwell.agent (name) where deleted_at is null;

create table stepwell.workflow (
    id             uuid primary key,
    slug           text not null,
    name           text not null,
    description    text,
    status         text not null default 'active' check (status in ('active', 'inactive')),
    latest_version int not null,
    labels         jsonb not null default '{}',
    revision       bigint not null default 1,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now(),
    deleted_at     timestamptz
);
create unique index workflow_slug on stepwell.workflow (slug) where deleted_at is null;

create table stepwell.workflow_version (
    workflow_id  uuid not null references stepwell.workflow,
    version      int not null,
    definition   json not null,         -- its signing secrets masked
    secrets      bytea,                 -- those secrets: XChaCha20-Poly1305, as auth_secret
    content_hash text not null,
    created_by   text not null,
    created_at   timestamptz not null default now(),
    primary key (workflow_id, version)
);

create table stepwell.run (
    id             uuid not null,
    workflow_id    uuid not null,
    workflow_name  text not null,           -- the slug at the time
    version        int not null,
    status         stepwell.run_status not null default 'pending',
    generation     int not null default 1,
    priority       smallint not null default 0,
    queue          text not null,
    steps_total    int not null,
    input          json,
    output         json,
    error          json,
    labels         jsonb,
    timeout_ms     bigint,
    dedupe_key     text,
    parent_id      uuid,
    parent_step    int,
    parent_item    int,
    parent_generation int,
    triggered_by   text not null,
    request_id     text,                    -- of the request that made it, and of the calls it makes
    traceparent    text,                    -- W3C Trace Context, handed on to the calls it makes
    cancelled_by   text,
    cancel_reason  text,
    forked_from    uuid,                    -- the run whose finished steps it took over, or that it appeals
    created_at     timestamptz not null,
    started_at     timestamptz,
    finished_at    timestamptz,
    sequence       bigint not null default 1,   -- of the last audit record, as of the last write of this row
    -- What the status says and what the columns hold agree. Until a run is over, its job row says
    -- whether it runs or waits.
    check (status in ('pending', 'completed', 'failed', 'cancelled', 'timed_out')),
    check ((status = 'pending') = (finished_at is null)),
    check (error is null or status in ('failed', 'cancelled', 'timed_out'))
) partition by range (id);
create index run_workflow on stepwell.run (workflow_id, id);
create index run_parent on stepwell.run (parent_id, id) where parent_id is not null;
-- After `run_workflow`: of two indexes that seem to cost the same Postgres takes the newer one. On a day that ANALYZE
-- found empty both do, and by the other one each run would be looked for among all of the day.
alter table stepwell.run add primary key (id);

-- In step, audit and job the columns of fixed width come first: no row is padded.
create table stepwell.step (
    run_id       uuid not null,
    child_run_id uuid,
    worker_id    uuid,
    started_at   timestamptz,
    finished_at  timestamptz,
    wake_at      timestamptz,
    item         int not null default -1,   -- of a map; -1: the step itself
    generation   int not null,
    status       stepwell.step_status not null,
    step         smallint not null,         -- the place in the compiled plan
    attempt      smallint not null,
    max_attempts smallint not null,
    name         text not null,
    kind         text not null,
    input        json,
    output       json,
    error        json,
    primary key (run_id, step, item, generation)
) partition by range (run_id);

create table stepwell.audit (
    id          uuid not null,
    entity_id   uuid not null,              -- of a step: its run's
    -- The transaction before the time, as defaults are computed in this order: no record is from before
    -- its transaction got its number, which is what the feed's cursors go by.
    xid         xid8 not null default pg_current_xact_id(),
    at          timestamptz not null default clock_timestamp(),
    sequence    bigint not null,            -- within the entity, from 1, without gaps
    entity_type text not null,              -- run, step, agent, workflow, queue, worker
    step        text,
    action      text not null,
    before      json,
    after       json,
    detail      json,
    actor       text not null,
    request_id  text
) partition by range (id);
create index audit_entity on stepwell.audit (entity_id, sequence);
-- By time, for the tail and for lists. Rows lie in the order of their ids and nearly in that of their times,
-- so a summary of their pages is enough. It is made of a range when the next one begins, so that it costs
-- writers next to nothing.
create index audit_time on stepwell.audit using brin (id, at) with (pages_per_range = 64, autosummarize = on);

create table stepwell.job (
    -- A claim writes a second entry beside the first, for which there is room, and nothing to put together.
    run_id     uuid primary key with (fillfactor = 45, deduplicate_items = off),
    worker_id  uuid,
    run_at     timestamptz,                 -- of a timed job
    started_at timestamptz,
    sequence   bigint not null default 1,   -- of the last audit record when nobody holds it
    state      stepwell.job_state not null,
    messages   int not null default 0,      -- in the inbox and not yet taken in
    rank       smallint not null default 0, -- the priority turned round: the lowest is next
    deaths     smallint not null default 0, -- workers that died while they held it
    awaited    boolean not null default false, -- somebody listens for the run's end
    paused     boolean not null default false,
    fresh      boolean not null default true,  -- no driver has had it: there are no steps to load
    queue      text not null,
    blocked_on json,
    check ((state = 'leased') = (worker_id is not null)),
    check ((state = 'timed') = (run_at is not null)),
    check (state <> 'parked' or blocked_on is not null),
    check (started_at is null or not fresh)
) with (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
-- Half-filled pages: the versions of a claim and a first commit lie beside the row they replace. The first
-- commit writes no index, so no index may look at what it changes: `started_at` and `sequence`.
-- Due work and future work apart: a million timers do not stand in the way of the claim.
create index job_ready on stepwell.job (queue, rank, run_id) where state = 'ready';
create index job_timed on stepwell.job (queue, run_at) where state = 'timed';

create table stepwell.inbox (
    id         bigint generated always as identity,
    run_id     uuid not null,
    kind       text not null check (kind in ('cancel', 'signal', 'pause', 'resume', 'retry', 'child_ended', 'reported', 'check', 'admitted')),
    payload    json not null default '{}',
    actor      text not null,
    request_id text,
    created_at timestamptz not null default now()
);
create index inbox_run on stepwell.inbox (run_id, id);
-- After the other index, as for runs.
alter table stepwell.inbox add primary key (id);

-- One live run per key of a workflow.
create table stepwell.dedupe (
    workflow_id uuid not null,
    key         text not null,
    run_id      uuid not null,
    primary key (workflow_id, key)
);

create table stepwell.idempotency (
    scope       text not null,              -- who and where: principal, method, route
    key         text not null,
    fingerprint bytea not null,             -- SHA-256 of the request
    status      smallint not null,
    location    text,
    body        json not null,
    created_at  timestamptz not null default now(),
    primary key (scope, key)
);
create index idempotency_created on stepwell.idempotency using brin (created_at);

create table stepwell.worker (
    id            uuid primary key,         -- fresh at each process start
    number        bigint not null generated always as identity unique, -- names it in the audit: worker:17
    name          text not null,
    version       text not null,
    queues        text[] not null,
    slots         int not null,
    status        text not null default 'alive' check (status in ('alive', 'draining', 'dead', 'gone')),
    dead_after_ms int not null check (dead_after_ms > 0),
    -- Raised when the outcome of a statement is unknown: what was sent before then finds no owner.
    epoch         int not null default 1,
    registered_at timestamptz not null default now(),
    seen_at       timestamptz not null default now(),
    ended_at      timestamptz,
    freed_at      timestamptz,              -- when the last of its jobs was freed
    -- As of its last heartbeat: runs held, and by queue the runs taken up in a second.
    running       int not null default 0,
    rates         json not null default '{}',
    check ((status in ('dead', 'gone')) = (ended_at is not null)),
    check (freed_at is null or ended_at is not null)
);
create index worker_open on stepwell.worker (seen_at) where freed_at is null;

-- Audit records are never changed, by nobody. Retention drops whole partitions, which is no DELETE.
create function stepwell.audit_refuse() returns trigger
    language plpgsql as $$
begin
    raise exception 'audit records are never changed: % on %.% is refused', tg_op, tg_table_schema, tg_table_name
        using errcode = 'insufficient_privilege',
              hint = 'Old records leave by dropping their partition.';
end $$;

-- Statement triggers do not pass to partitions, so each table gets its own. ALWAYS: they fire for
-- replication roles too.
create function stepwell.audit_seal_table(name text) returns void
    language plpgsql as $$
begin
    execute format('create trigger audit_refuse before update or delete or truncate on stepwell.%I
                    for each statement execute function stepwell.audit_refuse()', name);
    execute format('alter table stepwell.%I enable always trigger audit_refuse', name);
end $$;

-- Rows that no day takes land here, and raise an alarm: the maintenance was late or a clock is wrong.
create table stepwell.run_default partition of stepwell.run default;
create table stepwell.step_default partition of stepwell.step default;
create table stepwell.audit_default partition of stepwell.audit default;
select stepwell.audit_seal_table('audit'), stepwell.audit_seal_table('audit_default');

-- Makes the partitions of yesterday to `days` ahead that are missing; returns how many it made.
-- A table is made apart and then attached: that needs no exclusive lock on its parent. A day whose
-- rows are in the default partition already is passed over with a warning.
create function stepwell.make_partitions(days int) returns int
    language plpgsql as $$
declare
    parent text;
    part text;
    day timestamp;
    made int := 0;
begin
    for n in -1 .. days loop
        day := date_trunc('day', now() at time zone 'utc') + make_interval(days => n);
        foreach parent in array array['run', 'step', 'audit', 'result', 'log'] loop
            -- A later migration makes it.
            continue when to_regclass('stepwell.' || parent) is null;
            part := parent || '_' || to_char(day, 'YYYYMMDD');
            continue when to_regclass('stepwell.' || part) is not null;
            begin
                -- In half-filled pages a run ends beside where it began, and no index is written then. With less
                -- room some must move, which takes more of the disk in the end.
                execute format('create table stepwell.%I (like stepwell.%I including all) with (fillfactor = %s)',
                    part, parent, case parent when 'run' then 45 when 'step' then 90 else 100 end);
                if parent = 'audit' then
                    perform stepwell.audit_seal_table(part);
                end if;
                execute format('alter table stepwell.%I attach partition stepwell.%I for values from (%L) to (%L)',
                    parent, part,
                    stepwell.uuid7_bound(day at time zone 'utc'),
                    stepwell.uuid7_bound((day + interval '1 day') at time zone 'utc'));
                made := made + 1;
            exception when check_violation then
                raise warning 'stepwell.% holds rows of %: they stay there', parent || '_default', day::date;
            end;
        end loop;
    end loop;
    return made;
end $$;

-- Takes the partitions of one day out of these tables; returns how many. A day of which a run is not over
-- is left alone: a retry that comes meanwhile waits for the lock, and then finds no run. To detach needs
-- the parents for itself, so call it with a short lock_timeout: whoever comes later waits as long. They are
-- locked in the order that is given, before anything is done: give it as commits write them, or each waits
-- for the other.
create function stepwell.detach_day(day date, parents text[]) returns int
    language plpgsql as $$
declare
    parent text;
    part text;
    detached int := 0;
begin
    execute (select 'lock table only ' || string_agg(format('stepwell.%I', name), ', ' order by place)
             from unnest(parents) with ordinality as given (name, place));
    foreach parent in array parents loop
        part := parent || '_' || to_char(day, 'YYYYMMDD');
        continue when not exists (
            select from pg_inherits
            where inhrelid = to_regclass('stepwell.' || part) and inhparent = to_regclass('stepwell.' || parent));
        execute format('alter table stepwell.%I detach partition stepwell.%I', parent, part);
        detached := detached + 1;
    end loop;
    if detached > 0 and 'run' = any (parents) and exists (
        select from stepwell.job
        where run_id >= stepwell.uuid7_bound(day::timestamp at time zone 'utc')
          and run_id < stepwell.uuid7_bound((day + 1)::timestamp at time zone 'utc'))
    then
        raise exception 'runs of % are not over', day using errcode = 'object_in_use';
    end if;
    return detached;
end $$;

select stepwell.make_partitions(3);
