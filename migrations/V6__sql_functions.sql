-- The door for SQL, first part: functions that do what the REST API does, with the same checks and the same
-- audit. docs/sql.md is its documentation; what it names is kept.
--
-- Functions for callers run with the rights of the schema's owner, whoever calls them, so that nobody
-- needs a right to write tables. They name every object in full and fix their search_path.

-- --- what the functions stand on ------------------------------------------------------------------

-- A UUIDv7 of now. The twelve bits after the milliseconds are their fraction (RFC 9562, 6.2, method 3),
-- so that ids of one session grow; the rest is random.
create function stepwell.uuid7() returns uuid
    language plpgsql volatile parallel safe as $$
declare
    micros constant bigint := (extract(epoch from clock_timestamp()) * 1000000)::bigint;
    millis constant text := lpad(to_hex(micros / 1000), 12, '0');
    fraction constant text := lpad(to_hex(micros % 1000 * 4096 / 1000), 3, '0');
begin
    return (millis || '7' || fraction || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid;
end $$;

-- The instant that a UUIDv7 holds.
create function stepwell.uuid7_time(id uuid) returns timestamptz
    language sql immutable strict parallel safe
    return to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0);

-- Every bound of what callers may ask for, the same as of the REST API.
create function stepwell.limits(
        out priority_max int,               -- a scale that people can agree on
        out queue_chars_max int,            -- it goes into hints and measurements
        out dedupe_key_chars_max int,       -- it is in an index
        out labels_max int,                 -- more is data, and belongs into the input
        out label_key_chars_max int,
        out label_value_chars_max int,
        out reason_chars_max int,           -- a sentence or a few
        out signal_chars_max int,           -- a word, and part of an audit record
        out request_id_chars_max int,
        out traceparent_chars_max int,
        out payload_bytes_max int,          -- a row that Postgres still handles well
        out payload_depth_max int,          -- the JSON readers of workers go no deeper
        out duration_max_ms bigint)         -- beyond a year somebody forgot something
    language sql immutable parallel safe as
    $$ select 100, 64, 255, 64, 63, 255, 1000, 64, 128, 128, 4 << 20, 100, 366 * 86400000::bigint $$;

-- Who asks, as it goes into the audit records.
create function stepwell.caller() returns text
    language sql stable as
    $$ select 'sql:' || session_user $$;

-- The id of the request that the caller works on: an option, else the setting stepwell.request_id.
create function stepwell.caller_request_id(given text default null) returns text
    language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found constant text := coalesce(given, nullif(current_setting('stepwell.request_id', true), ''));
    chars_max constant int := (stepwell.limits()).request_id_chars_max;
begin
    if found !~ '^[\x21-\x7e]+$' or length(found) > chars_max then
        raise exception 'the request id must have 1 to % visible ASCII characters', chars_max
            using errcode = 'invalid_parameter_value',
                  detail = format('It is %L.', left(found, 200)),
                  hint = 'Give it as an option, or: set stepwell.request_id = ''…''';
    end if;
    return found;
end $$;

-- Says all that is wrong with the names and types of options. `kinds`: each option there is with its type,
-- integer or a type of JSON. Refuses at once what is no object: it has no options.
create function stepwell.option_faults(options jsonb, kinds jsonb) returns text[]
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
begin
    if jsonb_typeof(options) <> 'object' then
        raise exception 'options must be a JSON object, not %', jsonb_typeof(options)
            using errcode = 'invalid_parameter_value',
                  detail = format('The options are %s.', (select string_agg(key, ', ' order by key) from jsonb_object_keys(kinds) as key)),
                  hint = 'Leave them out where there are none.';
    elsif options = '{}' then
        return '{}';
    end if;
    return array(
        select case when kinds ? given.key
                   then format('options.%s must be of type %s, not %s', given.key, kinds ->> given.key, left(given.value::text, 100))
                   else format('there is no option %I; there are %s', left(given.key, 100),
                       (select string_agg(known.key, ', ' order by known.key) from jsonb_object_keys(kinds) as known (key))) end
        from jsonb_each(options) as given
        where not kinds ? given.key
           or given.value <> 'null' and stepwell.option(options, given.key, kinds ->> given.key) is null
        order by kinds ? given.key, given.key
        limit 20);
end $$;

-- Returns an option as text; null when it is absent, JSON null or of another type.
create function stepwell.option(options jsonb, name text, kind text) returns text
    language plpgsql immutable set search_path = pg_catalog, pg_temp as $$
declare
    found constant jsonb := options -> name;
begin
    if jsonb_typeof(found) = (case kind when 'integer' then 'number' else kind end)
        and (kind <> 'integer' or found::text ~ '^-?[0-9]{1,18}$') then
        return options ->> name;
    end if;
    return null;
end $$;

-- Says what is wrong with a payload: what no worker could read. Null when nothing is.
create function stepwell.payload_fault(payload jsonb) returns text
    language plpgsql immutable strict set search_path = pg_catalog, pg_temp as $$
declare
    most constant record := stepwell.limits();
    bytes constant int := octet_length(payload::text);
begin
    if bytes > most.payload_bytes_max then
        return format('has %s bytes, at most %s are allowed', bytes, most.payload_bytes_max);
    end if;
    if bytes > most.payload_depth_max and jsonb_path_exists(payload,
        format('strict $.**{%s to last} ? (@.type() == "object" || @.type() == "array")',
               most.payload_depth_max)::jsonpath) then
        return format('is nested more than %s levels deep', most.payload_depth_max);
    end if;
    -- Numbers are kept by 64 bits.
    if bytes > 300 and payload::text ~ '[0-9]{250}' and jsonb_path_exists(payload,
        'strict $.** ? (@.type() == "number" && (@ > 1.7976931348623157e308 || @ < -1.7976931348623157e308))') then
        return 'has a number that is too large: at most about 1.8e308';
    end if;
    return null;
end $$;

-- Refuses a call for all that is wrong with it.
create function stepwell.refuse(what text, faults text[]) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if cardinality(faults) = 1 then
        raise exception '%: %', what, faults[1]
            using errcode = 'invalid_parameter_value', hint = 'Correct it and call again; nothing was written.';
    elsif cardinality(faults) > 1 then
        raise exception '%: % rules are broken', what, cardinality(faults)
            using errcode = 'invalid_parameter_value', detail = array_to_string(faults, E'\n'),
                  hint = 'Correct them and call again; nothing was written.';
    end if;
end $$;

create function stepwell.refuse_unknown_run(run uuid) returns void
    language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if run is null then
        raise exception 'the id of the run must not be null' using errcode = 'null_value_not_allowed';
    end if;
    raise exception 'there is no run %', run
        using errcode = 'no_data_found', hint = 'select id, status from stepwell.v_runs order by id desc limit 20;';
end $$;

-- Says something to the processes that listen. A hint: it is heard when the caller's transaction has
-- committed, and who misses it finds the same by polling.
create function stepwell.say(kind text, about text) returns void
    language sql volatile as
    $$ select pg_notify('stepwell', kind || ':' || about) where about is not null $$;

-- --- what both doors do ---------------------------------------------------------------------------

-- Ends a run that no driver has had, with the record that its driver would write, and tells its
-- parent. No row: somebody had it, or it is over, or there is none. What it was to hear at its beginning
-- is nothing to keep it for.
create function stepwell.cancel_unbegun(
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
        returning j.run_id, j.awaited, j.sequence, j.messages
    ),
    over as (
        update stepwell.run r
        set status = 'cancelled', finished_at = greatest(clock_timestamp(), r.created_at), cancelled_by = cancel_unbegun.actor,
            cancel_reason = cancel_unbegun.reason, sequence = gone.sequence + 1
        from gone
        where r.id = cancel_unbegun.run and r.id = gone.run_id and r.status = 'pending'
        returning r.id, r.workflow_id, r.dedupe_key, r.parent_id, r.parent_step, r.parent_item, r.sequence
    ),
    freed as (
        delete from stepwell.dedupe d using over o
        where o.dedupe_key is not null and d.workflow_id = o.workflow_id and d.key = o.dedupe_key and d.run_id = o.id
    ),
    left_place as (
        delete from stepwell.place p using over o where p.run_id = o.id
        returning p.workflow_id, p.key
    ),
    unread as (
        delete from stepwell.inbox i using gone g where g.messages > 0 and i.run_id = g.run_id
    ),
    written as (
        insert into stepwell.audit
            (id, entity_type, entity_id, sequence, action, before, after, detail, actor, request_id)
        select stepwell.uuid7(), 'run', o.id, o.sequence, 'run.cancelled', '"pending"', '"cancelled"',
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

-- Writes a message and makes a waiting job due. The job's row lock orders this against the commit of
-- a driver that lets go of the run. A run that no driver has had keeps the time at which it is to begin: what
-- it is told it hears then, but whether it is paused is decided here, so that it shows and is not begun.
-- No row: there is no such run, or it is over.
create function stepwell.send(
        run uuid, kind text, payload json, actor text, request_id text,
        out queue text, out leased boolean) returns setof record
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    found_as record;
    pause boolean := case send.kind when 'pause' then true when 'resume' then false end;
begin
    select j.queue, j.state = 'leased' as leased, j.paused, j.sequence,
           j.fresh and j.state in ('ready', 'timed') as unbegun
    into found_as
    from stepwell.job j where j.run_id = send.run for update;
    if not found then
        return;
    end if;
    if found_as.unbegun and pause is not null then
        if pause <> found_as.paused then
            update stepwell.job j
            set paused = pause, sequence = found_as.sequence + 1,
                blocked_on = case when pause then json_build_object('kind', 'paused', 'since', clock_timestamp(), 'until', null, 'detail', null) end
            where j.run_id = send.run;
            insert into stepwell.audit
                (id, entity_type, entity_id, sequence, action, before, after, actor, request_id)
            values (stepwell.uuid7(), 'run', send.run, found_as.sequence + 1,
                    case when pause then 'run.paused' else 'run.resumed' end,
                    case when pause then '"pending"' else '"paused"' end::json,
                    case when pause then '"paused"' else '"pending"' end::json,
                    send.actor, send.request_id);
        end if;
    else
        update stepwell.job j
        set messages = j.messages + 1,
            state = (case when not found_as.unbegun and j.state in ('timed', 'parked') then 'ready'
                          else j.state::text end)::stepwell.job_state,
            run_at = case when found_as.unbegun then j.run_at end,
            blocked_on = case when found_as.unbegun then j.blocked_on end
        where j.run_id = send.run;
        insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
        values (send.run, send.kind, send.payload, send.actor, send.request_id);
    end if;
    return query select found_as.queue, found_as.leased;
end $$;

-- Opens the next generation of a run that is over and did not complete. Messages that came too late for
-- the last generation are not for this one. The job is not fresh: its driver must load the steps.
-- outcome: accepted, not_found, duplicate (of `holder`, which has taken over the dedupe key), or not_over or
-- completed, with the status that the run's row holds.
create function stepwell.open_generation(
        run uuid, from_step text, reset boolean, actor text, request_id text,
        out outcome text, out status text, out generation int, out queue text, out holder uuid)
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    old record;
begin
    select r.status, r.generation, r.sequence, r.queue, r.priority, r.workflow_id, r.dedupe_key into old
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
            to_json(old.status), '"pending"', json_build_object('generation', open_generation.generation),
            open_generation.actor, open_generation.request_id);
end $$;

-- --- the functions for callers --------------------------------------------------------------------

create function stepwell.execute(workflow text, input jsonb, options jsonb default '{}') returns uuid
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    most constant record := stepwell.limits();
    made_at constant timestamptz := clock_timestamp();
    asked constant jsonb := coalesce(execute.options, '{}');
    given constant jsonb := coalesce(execute.input, '{}');
    faults text[];
    head record;
    pinned record;
    wanted_version bigint;
    chosen_priority bigint;
    chosen_queue text;
    chosen_labels jsonb;
    chosen_timeout bigint;
    chosen_key text;
    due_text text;
    due_at timestamptz;
    asked_by constant text := stepwell.caller();
    asked_in text;
    trace text;
    fault text;
    rival uuid;
    new_id constant uuid := stepwell.uuid7();
begin
    faults := stepwell.option_faults(asked, '{"version": "integer", "run_at": "string", "priority": "integer", "queue": "string",
        "labels": "object", "timeout_ms": "integer", "dedupe_key": "string", "request_id": "string", "traceparent": "string"}');
    wanted_version := stepwell.option(asked, 'version', 'integer');
    chosen_priority := coalesce(stepwell.option(asked, 'priority', 'integer'), '0');
    chosen_queue := coalesce(stepwell.option(asked, 'queue', 'string'), 'default');
    chosen_labels := nullif(stepwell.option(asked, 'labels', 'object')::jsonb, '{}');
    chosen_timeout := stepwell.option(asked, 'timeout_ms', 'integer');
    chosen_key := stepwell.option(asked, 'dedupe_key', 'string');
    due_text := stepwell.option(asked, 'run_at', 'string');
    asked_in := stepwell.option(asked, 'request_id', 'string');
    trace := stepwell.option(asked, 'traceparent', 'string');

    -- A slug is never a UUID.
    if execute.workflow ~* '^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$' then
        select w.id, w.slug, w.latest_version, w.status into head
        from stepwell.workflow w where w.deleted_at is null and w.id = execute.workflow::uuid;
    else
        select w.id, w.slug, w.latest_version, w.status into head
        from stepwell.workflow w where w.deleted_at is null and w.slug = execute.workflow;
    end if;
    if not found then
        raise exception 'there is no workflow %', coalesce(quote_ident(execute.workflow), 'without a name')
            using errcode = 'no_data_found',
                  detail = 'A workflow is named by its slug or its id; a deleted one cannot be run.',
                  hint = 'select slug, status from stepwell.workflow where deleted_at is null order by slug;';
    end if;
    select json_array_length(v.definition -> 'steps') as steps,
           coalesce(json_typeof(v.definition -> 'input_schema'), 'null') <> 'null'
               or coalesce(v.definition -> 'concurrency' ->> 'on_limit', '') = 'reject' as is_checked,
           v.version into pinned
    from stepwell.workflow_version v
    where v.workflow_id = head.id and v.version = coalesce(wanted_version, head.latest_version);
    if not found then
        faults := faults || format('options.version: the workflow %I has no version %s; its latest is %s',
            head.slug, wanted_version, head.latest_version);
    end if;
    if head.status <> 'active' then
        raise exception 'the workflow % is %: it takes no new runs', quote_ident(head.slug), head.status
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Activate it by PUT /api/v1/workflows/' || head.slug || ' with "status": "active".';
    end if;

    if abs(chosen_priority) > most.priority_max then
        faults := faults || format('options.priority must be from -%s to %1$s, not %s', most.priority_max, chosen_priority);
    end if;
    if chosen_timeout not between 1 and most.duration_max_ms then
        faults := faults || format('options.timeout_ms must be from 1 to %s, not %s', most.duration_max_ms, chosen_timeout);
    end if;
    if due_text is not null then
        begin
            if due_text !~* '^\d{4}-\d\d-\d\d[t ]\d\d:\d\d:\d\d(\.\d+)?(z|[+-]\d\d:\d\d)$' then
                raise invalid_datetime_format;
            end if;
            due_at := due_text::timestamptz;
        exception when invalid_datetime_format or datetime_field_overflow or invalid_parameter_value then
            faults := faults || format('options.run_at must be a time such as 2026-03-01T12:00:00Z, not %L', left(due_text, 100));
        end;
        if due_at > made_at + most.duration_max_ms * interval '1 ms' then
            faults := faults || format('options.run_at: %s is more than %s days ahead', due_text, most.duration_max_ms / 86400000);
        end if;
    end if;
    if chosen_queue !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' or length(chosen_queue) > most.queue_chars_max then
        faults := faults || format('options.queue must have 1 to %s characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit, not %L',
            most.queue_chars_max, left(chosen_queue, 100));
    end if;
    if length(chosen_key) not between 1 and most.dedupe_key_chars_max then
        faults := faults || format('options.dedupe_key must have 1 to %s characters', most.dedupe_key_chars_max);
    end if;
    if asked_in !~ '^[\x21-\x7e]+$' or length(asked_in) > most.request_id_chars_max then
        faults := faults || format('options.request_id: a request id has 1 to %s visible ASCII characters, not %L',
            most.request_id_chars_max, left(asked_in, 200));
    end if;
    if length(trace) > most.traceparent_chars_max then
        faults := faults || format('options.traceparent may have up to %s characters', most.traceparent_chars_max);
    end if;
    if chosen_labels is not null then
        if (select count(*) from jsonb_object_keys(chosen_labels)) > most.labels_max then
            faults := faults || format('options.labels has more than %s labels', most.labels_max);
        end if;
        faults := faults || array(
            select case
                when key !~ '^[A-Za-z0-9._/-]+$' or length(key) > most.label_key_chars_max then
                    format('options.labels: a key has 1 to %s characters of A-Z, a-z, 0-9 and ._/-, not %L',
                        most.label_key_chars_max, left(key, 100))
                when jsonb_typeof(value) <> 'string' then
                    format('options.labels.%s must be of type string, not %s', key, jsonb_typeof(value))
                when length(value #>> '{}') > most.label_value_chars_max then
                    format('options.labels.%s has more than %s characters', key, most.label_value_chars_max)
            end
            from jsonb_each(chosen_labels)
            where key !~ '^[A-Za-z0-9._/-]+$' or length(key) > most.label_key_chars_max
               or jsonb_typeof(value) <> 'string' or length(value #>> '{}') > most.label_value_chars_max
            order by key limit 20);
    end if;
    fault := stepwell.payload_fault(given);
    if fault is not null then
        faults := faults || ('input ' || fault);
    end if;
    perform stepwell.refuse('this run cannot be started', faults);
    asked_in := stepwell.caller_request_id(asked_in);

    if chosen_key is not null then
        -- Who holds the key in a transaction that is under way is waited for.
        insert into stepwell.dedupe (workflow_id, key, run_id) values (head.id, chosen_key, new_id)
        on conflict (workflow_id, key) do nothing;
        select d.run_id into rival from stepwell.dedupe d
        where d.workflow_id = head.id and d.key = chosen_key and d.run_id <> new_id;
        if found then
            raise exception 'the run % has this dedupe_key and is not over yet', rival
                using errcode = 'unique_violation',
                      detail = format('Key %L of the workflow %s.', chosen_key, head.slug),
                      hint = 'Wait for its end or cancel it, or give another key.';
        end if;
    end if;

    insert into stepwell.run (id, workflow_id, workflow_name, version, priority, queue, steps_total, input, labels,
                              timeout_ms, dedupe_key, triggered_by, request_id, traceparent, created_at)
    values (new_id, head.id, head.slug, pinned.version, chosen_priority, chosen_queue, pinned.steps, given::text::json,
            chosen_labels, chosen_timeout, chosen_key, asked_by, asked_in, trace, made_at);
    insert into stepwell.job (run_id, queue, state, rank, run_at, messages)
    values (new_id, chosen_queue, (case when due_at > made_at then 'timed' else 'ready' end)::stepwell.job_state,
            -chosen_priority, case when due_at > made_at then due_at end, pinned.is_checked::int);
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, after, actor, request_id)
    values (stepwell.uuid7(), 'run', new_id, 1, 'run.created', '"pending"', asked_by, asked_in);
    -- Neither JSON Schema nor the expression of a concurrency key is to be had here: the driver checks
    -- both before the run begins.
    if pinned.is_checked then
        insert into stepwell.inbox (run_id, kind, actor, request_id) values (new_id, 'check', asked_by, asked_in);
    end if;
    perform stepwell.say('w', chosen_queue);
    return new_id;
end $$;

-- Sends a word to a live run.
create function stepwell.tell(run uuid, kind text, payload json) returns text
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    told record;
    standing text;
begin
    select * into told
    from stepwell.send(tell.run, tell.kind, tell.payload, stepwell.caller(), stepwell.caller_request_id());
    if not found then
        standing := (select r.status from stepwell.run r where r.id = tell.run);
        if standing is null then
            perform stepwell.refuse_unknown_run(tell.run);
        end if;
        return standing;
    end if;
    if told.leased then
        perform stepwell.say('i', tell.run::text);
    else
        perform stepwell.say('w', told.queue);
    end if;
    return null;
end $$;

-- Refuses what cannot be done to a run that is over; else returns where it stands.
create function stepwell.stands(run uuid, over text) returns text
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    if over is not null then
        raise exception 'the run % is over: %', run, over
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'A run that failed, timed out or was cancelled goes on after stepwell.retry_run.';
    end if;
    return (select v.status from stepwell.v_runs v where v.id = run);
end $$;

create function stepwell.cancel_run(run uuid, reason text default null) returns text
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    chars_max constant int := (stepwell.limits()).reason_chars_max;
    ended record;
    over text;
begin
    if length(reason) > chars_max then
        perform stepwell.refuse('this run cannot be cancelled', array[format('reason may have up to %s characters', chars_max)]);
    end if;
    select * into ended
    from stepwell.cancel_unbegun(cancel_run.run, cancel_run.reason, stepwell.caller(), stepwell.caller_request_id());
    if found then
        if ended.awaited then
            perform stepwell.say('e', cancel_run.run::text);
        end if;
        perform stepwell.say('w', ended.parent_queue), stepwell.say('i', ended.parent_leased::text);
        return 'cancelled';
    end if;
    over := stepwell.tell(cancel_run.run, 'cancel', json_build_object('reason', cancel_run.reason));
    if over = 'cancelled' then
        return over;
    end if;
    return stepwell.stands(cancel_run.run, over);
end $$;

create function stepwell.pause_run(run uuid) returns text
    language sql volatile security definer set search_path = pg_catalog, pg_temp as
    $$ select stepwell.stands(run, stepwell.tell(run, 'pause', '{}')) $$;

create function stepwell.resume_run(run uuid) returns text
    language sql volatile security definer set search_path = pg_catalog, pg_temp as
    $$ select stepwell.stands(run, stepwell.tell(run, 'resume', '{}')) $$;

create function stepwell.signal_run(run uuid, name text, payload jsonb default 'null') returns text
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    chars_max constant int := (stepwell.limits()).signal_chars_max;
    faults text[] := '{}';
    fault constant text := stepwell.payload_fault(payload);
begin
    if name is null or length(name) not between 1 and chars_max then
        faults := faults || format('a signal''s name has 1 to %s characters', chars_max);
    end if;
    if fault is not null then
        faults := faults || ('payload ' || fault);
    end if;
    perform stepwell.refuse('this signal cannot be sent', faults);
    return stepwell.stands(run, stepwell.tell(run, 'signal',
        json_build_object('name', name, 'payload', coalesce(payload, 'null'))));
end $$;

create function stepwell.retry_run(run uuid, options jsonb default '{}') returns text
    language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked constant jsonb := coalesce(retry_run.options, '{}');
    faults text[];
    first_step text;
    anew boolean;
    opened record;
begin
    faults := stepwell.option_faults(asked, '{"from_step": "string", "reset": "boolean"}');
    first_step := stepwell.option(asked, 'from_step', 'string');
    anew := coalesce(stepwell.option(asked, 'reset', 'boolean'), 'false');
    if first_step is not null and anew then
        faults := faults || 'give options.from_step or options.reset, not both'::text;
    end if;
    if first_step is not null and exists (select from stepwell.run r where r.id = retry_run.run) and not exists (
        select from stepwell.run r
        join stepwell.workflow_version v on v.workflow_id = r.workflow_id and v.version = r.version,
        lateral json_array_elements(v.definition -> 'steps') as s (step)
        where r.id = retry_run.run and s.step ->> 'name' = first_step)
    then
        faults := faults || format('options.from_step: the workflow has no step %L', left(first_step, 100));
    end if;
    perform stepwell.refuse('this run cannot be retried', faults);
    select * into opened
    from stepwell.open_generation(retry_run.run, first_step, anew, stepwell.caller(), stepwell.caller_request_id());
    case opened.outcome
    when 'not_found' then
        perform stepwell.refuse_unknown_run(retry_run.run);
    when 'completed' then
        raise exception 'the run % is over: completed', run
            using errcode = 'object_not_in_prerequisite_state',
                  hint = 'Only a run that failed, timed out or was cancelled is retried; start a new one.';
    when 'not_over' then
        raise exception 'the run % is %; only one that is over can be retried', run, stepwell.stands(run, null)
            using errcode = 'object_not_in_prerequisite_state', hint = 'Cancel it first, or wait for its end.';
    when 'duplicate' then
        raise exception 'the run % has taken over the dedupe_key and is not over yet', opened.holder
            using errcode = 'unique_violation', hint = 'Wait for its end or cancel it.';
    else
        perform stepwell.say('w', opened.queue);
    end case;
    return 'pending';
end $$;

-- Pauses or resumes a queue. The first decision makes its row; its records carry the name.
create function stepwell.turn_queue(name text, pause boolean) returns text
    language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    chars_max constant int := (stepwell.limits()).queue_chars_max;
    asked_by constant text := stepwell.caller();
    asked_in constant text := stepwell.caller_request_id();
    old record;
begin
    if turn_queue.name is null or turn_queue.name !~ '^[A-Za-z0-9][A-Za-z0-9._-]*$' or length(turn_queue.name) > chars_max then
        raise exception 'there is no queue %', coalesce(quote_ident(left(turn_queue.name, 100)), 'without a name')
            using errcode = 'no_data_found',
                  detail = format('A queue''s name has 1 to %s characters of A-Z, a-z, 0-9 and ._-, the first a letter or digit.', chars_max),
                  hint = 'select name, depth, paused_at from stepwell.v_queues;';
    end if;
    insert into stepwell.queue (name, id, revision) values (turn_queue.name, stepwell.uuid7(), 0) on conflict do nothing;
    select q.id, q.paused_at is not null as paused, q.max_running, q.revision into old
    from stepwell.queue q where q.name = turn_queue.name for update;
    if old.paused = turn_queue.pause then
        if old.revision = 0 and not exists (select from stepwell.v_queues v where v.name = turn_queue.name
                                            and (v.workers > 0 or v.depth + v.timed + v.parked + v.leased > 0)) then
            raise exception 'there is no queue %', quote_ident(turn_queue.name)
                using errcode = 'no_data_found', detail = 'Nobody uses it, and nobody ever decided anything about it.',
                      hint = 'select name, depth, paused_at from stepwell.v_queues;';
        end if;
        -- A decision that changes nothing leaves no row.
        delete from stepwell.queue q where q.name = turn_queue.name and q.revision = 0;
        return case when turn_queue.pause then 'paused' else 'active' end;
    end if;
    update stepwell.queue q
    set paused_at = case when turn_queue.pause then clock_timestamp() end,
        paused_by = case when turn_queue.pause then asked_by end, revision = old.revision + 1, updated_at = now()
    where q.name = turn_queue.name;
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor, request_id)
    values (stepwell.uuid7(), 'queue', old.id, old.revision + 1,
            case when turn_queue.pause then 'queue.paused' else 'queue.resumed' end,
            json_build_object('max_running', old.max_running, 'name', turn_queue.name, 'paused', old.paused),
            json_build_object('max_running', old.max_running, 'name', turn_queue.name, 'paused', turn_queue.pause),
            asked_by, asked_in);
    perform stepwell.say('c:queue', old.id::text);
    return case when turn_queue.pause then 'paused' else 'active' end;
end $$;

create function stepwell.pause_queue(name text) returns text
    language sql volatile security definer set search_path = pg_catalog, pg_temp as
    $$ select stepwell.turn_queue(name, true) $$;

create function stepwell.resume_queue(name text) returns text
    language sql volatile security definer set search_path = pg_catalog, pg_temp as
    $$ select stepwell.turn_queue(name, false) $$;

comment on function stepwell.execute(text, jsonb, jsonb) is 'Starts a run in the caller''s transaction: it begins if, and only if, that commits. workflow: slug or id. options: version, run_at, priority, queue, labels, timeout_ms, dedupe_key, request_id, traceparent. Returns the id of the run.';
comment on function stepwell.cancel_run(uuid, text) is 'Cancels a run. Returns its status: cancelled at once where no worker has begun it.';
comment on function stepwell.retry_run(uuid, jsonb) is 'Opens the next generation of a run that failed, timed out or was cancelled. options: from_step (it and those after it run again) or reset (all do). Returns its status.';
comment on function stepwell.signal_run(uuid, text, jsonb) is 'Sends a signal, which is kept until a step of the run waits for it. Returns the status of the run.';
comment on function stepwell.pause_run(uuid) is 'Pauses a run: attempts in flight go on to their end, and nothing new begins. Returns its status.';
comment on function stepwell.resume_run(uuid) is 'Resumes a paused run; does nothing to one that is not paused. Returns its status.';
comment on function stepwell.pause_queue(text) is 'Pauses a queue: no worker takes runs from it until it is resumed; what workers hold goes on. Returns paused.';
comment on function stepwell.resume_queue(text) is 'Resumes a paused queue; does nothing to one that is not paused. Returns active.';
comment on function stepwell.limits() is 'The bounds of what callers may ask for, a column each; the same as of the REST API.';
comment on function stepwell.uuid7_bound(timestamptz) is 'The smallest UUIDv7 of an instant: put it into conditions on ids, and only the days that matter are read.';
comment on function stepwell.uuid7_time(uuid) is 'The instant that a UUIDv7 holds.';
