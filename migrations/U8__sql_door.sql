-- The roles stay: they belong to the whole server, and other databases may use them.
drop view stepwell.v_audit, stepwell.v_blocked, stepwell.v_queues, stepwell.v_workers, stepwell.v_steps, stepwell.v_runs;
drop function stepwell.grant_roles(), stepwell.resume_queue(text), stepwell.pause_queue(text),
    stepwell.turn_queue(text, boolean), stepwell.retry_run(uuid, jsonb), stepwell.signal_run(uuid, text, jsonb),
    stepwell.resume_run(uuid), stepwell.pause_run(uuid), stepwell.cancel_run(uuid, text), stepwell.stands(uuid, text),
    stepwell.tell(uuid, text, json), stepwell.execute(text, jsonb, jsonb),
    stepwell.open_generation(uuid, text, boolean, text, text), stepwell.send(uuid, text, json, text, text),
    stepwell.cancel_unbegun(uuid, text, text, text), stepwell.say(text, text), stepwell.refuse_unknown_run(uuid),
    stepwell.refuse(text, text[]), stepwell.payload_fault(jsonb), stepwell.option(jsonb, text, text),
    stepwell.check_options(jsonb, text[]), stepwell.caller_request_id(text), stepwell.caller(), stepwell.limits(),
    stepwell.uuid7_time(uuid), stepwell.uuid7();
comment on function stepwell.uuid7_bound(timestamptz) is null;
-- What they were granted on the tables of other versions.
do $$
declare
    grantee text;
begin
    for grantee in
        select rolname from pg_roles where rolname in ('stepwell_reader', 'stepwell_operator', 'stepwell_app')
    loop
        execute format('revoke all on all tables in schema stepwell from %I', grantee);
        execute format('revoke all on all functions in schema stepwell from %I', grantee);
        execute format('revoke all on schema stepwell from %I', grantee);
    end loop;
end $$;
