-- The door for SQL, third part: who may come in by it.

-- Gives the three roles what they may do, as far as they exist. Tables are named one by one: what a later
-- version adds may hold secrets. Nobody but the owner writes a table.
create function stepwell.grant_roles() returns text[]
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    readers constant text[] := array['stepwell_reader', 'stepwell_operator', 'stepwell_app'];
    readable constant text[] := array['run', 'step', 'job', 'inbox', 'audit', 'worker', 'dedupe', 'workflow',
        'migration', 'schedule', 'appeal', 'place', 'seat', 'v_schedules', 'queue', 'record', 'record_route', 'run_outcome', 'outbox', 'v_runs', 'v_live', 'v_failed', 'v_steps', 'v_queues', 'v_workers', 'v_blocked', 'v_audit'];
    found constant text[] := array(select rolname from pg_roles where rolname = any (readers) order by rolname);
    grantee text;
    item text;
    hidden text[];
begin
    foreach grantee in array found loop
        execute format('grant usage on schema stepwell to %I', grantee);
        foreach item in array readable loop
            if to_regclass('stepwell.' || item) is not null then
                execute format('grant select on stepwell.%I to %I', item, grantee);
            end if;
        end loop;
        -- All but credentials, secrets that sign, and addresses that may carry a token.
        for item, hidden in
            values ('agent', array['auth_secret']), ('workflow_version', array['secrets']),
                   ('subscription', array['secret', 'old_secret']), ('delivery', array['callback_url'])
        loop
            execute format('grant select (%s) on stepwell.%I to %I',
                (select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
                 where attrelid = ('stepwell.' || item)::regclass and attnum > 0 and not attisdropped
                   and attname <> all (hidden)), item, grantee);
        end loop;
        execute format('grant execute on function stepwell.uuid7_bound(timestamptz), stepwell.uuid7_time(uuid),
            stepwell.limits() to %I', grantee);
        if grantee <> 'stepwell_reader' then
            execute format('grant execute on function stepwell.cancel_run(uuid, text), stepwell.retry_run(uuid, jsonb),
                stepwell.signal_run(uuid, text, jsonb), stepwell.pause_run(uuid), stepwell.resume_run(uuid),
                stepwell.pause_queue(text), stepwell.resume_queue(text) to %I', grantee);
        end if;
        if grantee = 'stepwell_app' then
            execute format('grant execute on function stepwell.execute(text, jsonb, jsonb) to %I', grantee);
        end if;
    end loop;
    return found;
end $$;
comment on function stepwell.grant_roles() is 'Gives the roles stepwell_reader, stepwell_operator and stepwell_app what they may do. Returns those that exist. Run it as the owner of the schema after the roles are made.';

-- Functions are for everybody when they are made, and these are not.
do $$
declare
    made regprocedure;
begin
    for made in
        select p.oid::regprocedure from pg_proc p
        where p.pronamespace = 'stepwell'::regnamespace and p.proname in (
            'uuid7', 'uuid7_time', 'limits', 'caller', 'caller_request_id', 'option_faults', 'option', 'payload_fault',
            'refuse', 'refuse_unknown_run', 'say', 'cancel_unbegun', 'send', 'open_generation', 'execute', 'tell', 'stands',
            'cancel_run', 'pause_run', 'resume_run', 'turn_queue', 'pause_queue', 'resume_queue', 'signal_run', 'retry_run', 'grant_roles')
    loop
        execute format('revoke all on function %s from public', made);
    end loop;
end $$;

-- Roles belong to the whole server, and not everybody who migrates may make them. Where another
-- database has made them, or makes them now, they serve this one as well.
do $$
declare
    wanted text;
begin
    foreach wanted in array array['stepwell_reader', 'stepwell_operator', 'stepwell_app'] loop
        continue when exists (select from pg_roles where rolname = wanted);
        begin
            execute format('create role %I nologin', wanted);
        exception
            when duplicate_object or unique_violation then null;
            when insufficient_privilege then
                raise notice 'the role % is for an administrator to make: see docs/sql.md', wanted;
        end;
    end loop;
end $$;
select stepwell.grant_roles();
