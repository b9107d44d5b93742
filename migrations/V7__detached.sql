-- Attempts that are made elsewhere, what was reported of them, and the logs of steps.

-- One row for each attempt that waits for a worker of another queue or for somebody who polls for
-- work, or is being made by one. Small, and gone with the result: nothing here is history.
create table stepwell.detached (
    run_id     uuid not null,
    worker_id  uuid,                            -- whose worker makes it
    due_at     timestamptz not null default clock_timestamp(), -- of external work that is leased: when the lease ends
    timeout_ms bigint,
    item       int not null default -1,         -- as in `step`
    generation int not null,
    lease      int not null default 0,          -- so often it was taken
    step       smallint not null,
    attempt    smallint not null,
    deaths     smallint not null default 0,     -- workers that died while they made it
    once       boolean not null,                -- made at most once
    kind       text not null check (kind in ('queue', 'external')),
    lane       text not null,                   -- the queue or the topic
    holder     text,                            -- who polled for it
    name       text not null,                   -- the step's: `score` or `score[17]`
    workflow   text not null,
    request_id text,
    traceparent text,
    call       json not null,
    primary key (run_id, step, item),
    check (worker_id is null or kind = 'queue')
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);
create index detached_due on stepwell.detached (kind, lane, due_at) where worker_id is null;
-- What each worker makes, and for which queue: for what a dead one leaves behind, and for counting.
create index detached_made on stepwell.detached (worker_id, lane) where worker_id is not null;
-- What may be done once and was taken is looked after when its lease is over.
create index detached_once on stepwell.detached (due_at) where once and kind = 'external';

-- What was reported from outside, so that saying it twice is one thing and saying something else
-- another.
create table stepwell.result (
    run_id      uuid not null,
    at          timestamptz not null default now(),
    item        int not null,
    generation  int not null,
    step        smallint not null,
    attempt     smallint not null,
    fingerprint bytea not null,                 -- SHA-256 of what was said
    primary key (run_id, step, item, generation, attempt)
) partition by range (run_id);
create table stepwell.result_default partition of stepwell.result default;

create table stepwell.log (
    run_id  uuid not null,
    id      uuid not null,                      -- UUIDv7: the order of the lines
    at      timestamptz not null,
    attempt smallint not null,
    level   smallint not null check (level between 0 and 4), -- trace, debug, info, warn, error
    step    text not null,                      -- `score` or `score[17]`
    message text not null,
    primary key (run_id, id)
) partition by range (run_id);
create table stepwell.log_default partition of stepwell.log default;

select stepwell.make_partitions(3);

-- The key that tokens are signed with, made here and the same for every process.
create table stepwell.token_key (
    id  boolean primary key default true check (id),
    key bytea not null check (length(key) = 32)
);
insert into stepwell.token_key (key)
values (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())));
