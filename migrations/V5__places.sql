-- Places of runs under the concurrency keys of workflows, seats of calls at agents that take only so
-- many, and appeals. Workflows and agents without a limit have no rows here.

create table stepwell.place (
    workflow_id uuid not null,
    run_id      uuid not null,
    turn        bigint generated always as identity,    -- who came first
    most        int not null check (most > 0),          -- the limit of the run's version
    held        boolean not null default false,         -- the run may go on; else it waits
    key         text not null,
    primary key (run_id)
);
create index place_key on stepwell.place (workflow_id, key, turn);

-- A seat is free when nobody has it, or who has it is dead.
create table stepwell.seat (
    agent_id  uuid not null,
    number    int not null check (number > 0),
    worker_id uuid,
    primary key (agent_id, number)
);

create table stepwell.appeal (
    id              uuid primary key,
    original_run_id uuid not null,
    run_id          uuid not null,
    reason          text not null,
    actor           text not null,
    created_at      timestamptz not null
);
create index appeal_original on stepwell.appeal (original_run_id, id);
