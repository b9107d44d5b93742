-- Queues that somebody set up, records and their routes, and what lists need to be quick.

-- A queue needs no row to be used: this one says what differs from the ordinary.
create table stepwell.queue (
    name        text primary key,
    id          uuid not null unique,       -- of its audit records
    paused_at   timestamptz,
    paused_by   text,
    max_running int check (max_running > 0),    -- jobs leased at once, over all workers
    revision    bigint not null,
    updated_at  timestamptz not null default now(),
    check ((paused_at is null) = (paused_by is null))
);

-- The claims of a limited queue count what is leased: a handful of rows among all jobs. The run is in it because
-- many entries that are all alike are slow to add: a drain was a twentieth slower.
create index job_leased on stepwell.job (queue, run_id) where state = 'leased';

-- What stands apart among many due jobs: lists look for it. Most jobs never come in here. Only a job that a
-- driver has had can have begun; `started_at` itself would make the first commit of every run write all indexes.
create index job_apart on stepwell.job (run_id)
    where state = 'parked' or paused or (state = 'ready' and not fresh);

-- Runs that did not complete. A list of the failed ones would otherwise read every run; an index on
-- `run.status` would make every finished run write all of its index entries anew.
create table stepwell.run_outcome (
    status      stepwell.run_status not null check (status in ('failed', 'cancelled', 'timed_out')),
    run_id      uuid not null,
    workflow_id uuid not null,
    primary key (status, run_id)
);
create index run_outcome_workflow on stepwell.run_outcome (workflow_id, status, run_id);

create table stepwell.record (
    id          uuid primary key,           -- UUIDv7
    source      text not null,
    category    text not null,
    status      text not null default 'pending' check (status in ('pending', 'processing', 'processed', 'failed')),
    payload     json not null,
    run_id      uuid,                       -- of the one run that processes it
    revision    bigint not null default 1,  -- of its audit records
    created_by  text not null,
    created_at  timestamptz not null,
    updated_at  timestamptz not null,
    check ((status = 'pending') = (run_id is null))
);
create index record_status on stepwell.record (status, id);
create index record_category on stepwell.record (category, id);
create index record_source on stepwell.record (source, id);

-- Which workflow processes records of a category, from one source or from any.
create table stepwell.record_route (
    id          uuid primary key,
    category    text not null,
    source      text,
    workflow_id uuid not null references stepwell.workflow,
    auto        boolean not null,           -- a record is processed as soon as it comes in
    created_by  text not null,
    created_at  timestamptz not null
);
create unique index record_route_bound on stepwell.record_route (category, coalesce(source, ''));

-- In the transaction that ends or reopens a run: keeps `run_outcome`, and the status of the record that
-- the run processes. Whoever ends it need not know: a worker, a cancel, a retry, or SQL.
create function stepwell.run_turned() returns trigger
    language plpgsql as $$
declare
    told stepwell.record;
    turned text := case new.status when 'completed' then 'processed' when 'pending' then 'processing' else 'failed' end;
begin
    if old.status in ('failed', 'cancelled', 'timed_out') then
        delete from stepwell.run_outcome where status = old.status and run_id = old.id;
    end if;
    if new.status in ('failed', 'cancelled', 'timed_out') then
        insert into stepwell.run_outcome (status, run_id, workflow_id) values (new.status, new.id, new.workflow_id);
    end if;
    if new.labels ? 'stepwell/record' then
        -- A label is text from outside: it counts where the record names the run as well.
        select * into told from stepwell.record
        where id::text = new.labels ->> 'stepwell/record' and run_id = new.id
        for update;
        if found and told.status <> turned then
            update stepwell.record set status = turned, revision = revision + 1, updated_at = clock_timestamp()
            where id = told.id;
            insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor)
            values ((overlay(gen_random_uuid()::text placing
                         regexp_replace(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0'),
                                        '^(.{8})(.{4})$', '\1-\2-7') from 1 for 15))::uuid,
                    'record', told.id, told.revision + 1, 'record.' || turned, to_json(told.status), to_json(turned),
                    'run:' || new.id);
        end if;
    end if;
    return null;
end $$;

-- A run that completes, as most do, and processes no record does not come here.
create trigger run_turned after update of status on stepwell.run
    for each row
    when (new.status in ('failed', 'cancelled', 'timed_out') or old.status in ('failed', 'cancelled', 'timed_out')
          or new.labels ? 'stepwell/record')
    execute function stepwell.run_turned();

-- Lists by label and by queue. Neither column changes, so a run that ends writes neither anew; a run
-- without labels, or of the ordinary queue, writes neither at all.
create index run_labels on stepwell.run using gin (labels jsonb_path_ops) where labels is not null;
create index run_queue on stepwell.run (queue, id) where queue <> 'default';
