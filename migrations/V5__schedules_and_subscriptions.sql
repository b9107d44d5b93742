-- Schedules start runs by the clock; subscriptions hear of what happens. A subscriber's event is
-- made from the audit record that the change itself wrote, so the trail is the outbox.

create table stepwell.schedule (
    id          uuid primary key,
    name        text not null unique,
    workflow    text not null,              -- slug or id, looked up at each firing
    version     int check (version > 0),    -- null: the latest
    input       json not null,
    cron        text not null,
    time_zone   text not null,
    overlap     text not null check (overlap in ('allow', 'skip', 'cancel_running')),
    catch_up    int not null check (catch_up between 0 and 100),
    labels      jsonb not null default '{}',
    queue       text not null,
    priority    smallint not null default 0,
    status      text not null check (status in ('active', 'paused')),
    next_at     timestamptz,                -- of an active one; null when it has no firing left
    last_at     timestamptz,                -- the firing that the last run is of
    last_run_id uuid,
    last_error  text,                       -- why the last firing made no run; null when it did
    revision    bigint not null default 1,  -- the ETag
    sequence    bigint not null default 1,  -- of its last audit record: firings write some too
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    check (status = 'active' or next_at is null)
);
create index schedule_due on stepwell.schedule (next_at) where next_at is not null;

create table stepwell.subscription (
    id              uuid primary key,
    name            text,
    url             text not null,
    event_types     text[] not null check (cardinality(event_types) > 0),
    workflow        text,                   -- the slug of the runs it hears of; null: all
    secret          bytea not null,         -- sealed, as the credentials of agents are
    old_secret      bytea,                  -- signs beside the new one until then
    old_secret_until timestamptz,
    status          text not null check (status in ('active', 'disabled')),
    disabled_reason text,
    revision        bigint not null default 1,
    sequence        bigint not null default 1,
    created_at      timestamptz not null default now(),
    updated_at      timestamptz not null default now(),
    check ((old_secret is null) = (old_secret_until is null)),
    check (status = 'disabled' or disabled_reason is null)
);

-- Where the end of a run is told besides.
create table stepwell.callback (
    run_id     uuid primary key,
    url        text not null,
    created_at timestamptz not null default now()
);

-- Events that somebody hears of, as they were when they happened.
create table stepwell.event (
    id          uuid primary key,           -- the same in every attempt
    type        text not null,
    source      text not null,
    subject     text,
    at          timestamptz not null,
    data        json not null,
    traceparent text,
    created_at  timestamptz not null default now()
);

-- One event on its way to one receiver.
create table stepwell.delivery (
    id              uuid primary key,
    subscription_id uuid references stepwell.subscription on delete cascade,   -- null: a callback
    event_id        uuid not null references stepwell.event,
    lane            uuid not null,          -- deliveries that wait for one receiver: the subscription, or the callback's host
    callback_url    text,
    expires_at      timestamptz not null,   -- no attempt after that
    next_at         timestamptz,            -- of a pending one; while an attempt is made, when others take it over
    finished_at     timestamptz,
    status          text not null default 'pending' check (status in ('pending', 'delivered', 'failed')),
    attempts        int not null default 0,
    attempted_at    timestamptz,
    response_status int,
    duration_ms     bigint,
    error           text,
    created_at      timestamptz not null default now(),
    check ((status = 'pending') = (next_at is not null)),
    check ((status = 'pending') = (finished_at is null)),
    check ((subscription_id is null) = (callback_url is not null))
);
create index delivery_due on stepwell.delivery (lane, next_at) where status = 'pending';
create unique index delivery_once on stepwell.delivery (event_id, lane);
create index delivery_list on stepwell.delivery (subscription_id, id);
create index delivery_pending on stepwell.delivery (subscription_id, id) where status = 'pending';
create index delivery_failed on stepwell.delivery (subscription_id, id) where status = 'failed';
create index delivery_finished on stepwell.delivery (finished_at) where finished_at is not null;

-- How far the trail was read for those who hear of it, and by whom.
create table stepwell.outbox (
    only_row    boolean primary key default true check (only_row),
    cursor      text,                       -- null: nothing was read yet
    leader      uuid,
    leads_until timestamptz not null default '-infinity',
    moved_at    timestamptz not null default now()
);
insert into stepwell.outbox default values;
