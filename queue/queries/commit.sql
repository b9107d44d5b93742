-- What drivers decided, in full. Parameters 1 to 39 are those of `queries/commit_lean.sql`. Each run's
-- change of its job is one row of `d`, however many reasons it has: a row is updated once in a statement.
-- turn: 'told' (another run's message arrives), 'kept', 'released', 'given_back', 'finished'. deaths: below 0, the
-- run has made progress since its worker died.
with owner as materialized (
    select id, 'worker:' || number as actor from stepwell.worker
    where id = $1 and epoch = $2 and status in ('alive', 'draining')
    for key share
),
-- Two statements that touch the same jobs take them in the same order.
changed as materialized (
    select o.id as owner_id, d.*
    from owner o,
         (select unnest($29::uuid[]) as run_id, unnest($30::text[]) as turn, unnest($31::bigint[]) as sequence,
                 unnest($32::timestamptz[]) as started_at, unnest($33::int[]) as generation,
                 unnest($34::text[]) as status, unnest($35::text[]) as output, unnest($36::text[]) as error,
                 unnest($37::timestamptz[]) as finished_at, unnest($38::text[]) as cancelled_by,
                 unnest($39::text[]) as cancel_reason, unnest($40::int[]) as consumed, unnest($41::int[]) as added,
                 unnest($42::timestamptz[]) as wake_at, unnest($43::text[]) as blocked_on,
                 unnest($44::boolean[]) as paused, unnest($45::smallint[]) as deaths) as d
    join stepwell.job j on j.run_id = any (array[d.run_id])
    where d.turn = 'told' or j.worker_id = o.id
    order by d.run_id
    for update of j
),
steps as (
    insert into stepwell.step
        (run_id, step, item, generation, name, kind, status, attempt, max_attempts, input, output, error,
         started_at, finished_at, wake_at, child_run_id, worker_id)
    select s.run_id, s.step, s.item, s.generation, s.name, s.kind, s.status::stepwell.step_status, s.attempt, s.max_attempts,
           s.input::json, s.output::json, s.error::json, s.started_at, s.finished_at, s.wake_at, s.child_run_id, o.id
    from owner o,
         (select unnest($3::uuid[]) as run_id, unnest($4::smallint[]) as step, unnest($5::int[]) as item,
                 unnest($6::int[]) as generation, unnest($7::text[]) as name, unnest($8::text[]) as kind,
                 unnest($9::text[]) as status, unnest($10::smallint[]) as attempt,
                 unnest($11::smallint[]) as max_attempts, unnest($12::text[]) as input, unnest($13::text[]) as output,
                 unnest($14::text[]) as error, unnest($15::timestamptz[]) as started_at,
                 unnest($16::timestamptz[]) as finished_at, unnest($17::timestamptz[]) as wake_at,
                 unnest($18::uuid[]) as child_run_id) as s
),
known_steps as (
    update stepwell.step t
    set status = s.status::stepwell.step_status, attempt = s.attempt, max_attempts = s.max_attempts,
        input = s.input::json, output = s.output::json, error = s.error::json, started_at = s.started_at,
        finished_at = s.finished_at, wake_at = s.wake_at, child_run_id = s.child_run_id, worker_id = o.id
    from owner o,
         (select unnest($46::uuid[]) as run_id, unnest($47::smallint[]) as step, unnest($48::int[]) as item,
                 unnest($49::int[]) as generation, unnest($50::text[]) as status, unnest($51::smallint[]) as attempt,
                 unnest($52::smallint[]) as max_attempts, unnest($53::text[]) as input, unnest($54::text[]) as output,
                 unnest($55::text[]) as error, unnest($56::timestamptz[]) as started_at,
                 unnest($57::timestamptz[]) as finished_at, unnest($58::timestamptz[]) as wake_at,
                 unnest($59::uuid[]) as child_run_id) as s
    where t.run_id = any (array[s.run_id]) and t.step = s.step and t.item = s.item and t.generation = s.generation
    returning t.run_id
),
records as (
    insert into stepwell.audit
        (id, entity_type, entity_id, sequence, step, action, before, after, detail, actor, request_id)
    select a.id, case when a.step is null then 'run' else 'step' end, a.entity_id, a.sequence, a.step, a.action, to_json(a.before), to_json(a.after),
           a.detail::json, coalesce(a.actor, o.actor), a.request_id
    from owner o,
         (select unnest($19::uuid[]) as id, unnest($20::uuid[]) as entity_id,
                 unnest($21::bigint[]) as sequence, unnest($22::text[]) as step, unnest($23::text[]) as action,
                 unnest($24::text[]) as before, unnest($25::text[]) as after, unnest($26::text[]) as detail,
                 unnest($27::text[]) as actor, unnest($28::text[]) as request_id) as a
),
consumed as (
    delete from stepwell.inbox i
    using owner o, unnest($60::bigint[]) as c (id)
    where i.id = any (array[c.id])
),
-- A message for a run that is over by now has nobody to go to.
told as (
    insert into stepwell.inbox (run_id, kind, payload, actor, request_id)
    select m.run_id, m.kind, m.payload::json, m.actor, m.request_id
    from (select unnest($61::uuid[]) as run_id, unnest($62::text[]) as kind, unnest($63::text[]) as payload,
                 unnest($64::text[]) as actor, unnest($65::text[]) as request_id) as m
    join changed c on c.run_id = m.run_id
),
-- A driver that lets go while messages are unread leaves the job due. Where the sequence is not known
-- (0), it is that of the last record, and so is the start.
moved as (
    update stepwell.job j
    set messages = j.messages - c.consumed + c.added,
        state = (case
            when c.turn = 'told' and j.state in ('timed', 'parked') then 'ready'
            when c.turn in ('told', 'kept') then j.state::text
            when c.turn = 'given_back' or j.messages - c.consumed + c.added > 0 then 'ready'
            when c.wake_at is not null then 'timed'
            else 'parked' end)::stepwell.job_state,
        worker_id = case when c.turn in ('told', 'kept') then j.worker_id end,
        run_at = case when c.turn = 'released' and j.messages - c.consumed + c.added <= 0 then c.wake_at end,
        blocked_on = case when c.turn = 'released' and j.messages - c.consumed + c.added <= 0 then c.blocked_on::json end,
        paused = coalesce(c.paused, j.paused),
        deaths = case when c.turn = 'released' or c.deaths < 0 then 0 else j.deaths + c.deaths end,
        started_at = coalesce(j.started_at, c.started_at, case when c.sequence = 0 and c.turn in ('given_back', 'released') then
            (select min(a.at) from stepwell.audit a
             where a.entity_id = j.run_id and a.sequence > j.sequence and a.action = 'run.started') end),
        sequence = case
            when c.turn = 'told' then j.sequence
            when c.sequence > 0 then c.sequence
            else greatest(j.sequence, (select max(a.sequence) from stepwell.audit a where a.entity_id = j.run_id)) end
    from changed c
    where j.run_id = any (array[c.run_id]) and c.turn <> 'finished'
    returning j.run_id, j.queue, j.state, c.turn
),
gone as (
    delete from stepwell.job j
    using changed c
    where c.turn = 'finished' and j.run_id = any (array[c.run_id])
    returning c.*, j.awaited, j.messages, j.started_at as begun_at
),
over as (
    update stepwell.run r
    set status = g.status::stepwell.run_status, output = g.output::json, error = g.error::json,
        started_at = coalesce(g.begun_at, g.started_at), finished_at = g.finished_at,
        cancelled_by = g.cancelled_by, cancel_reason = g.cancel_reason, sequence = g.sequence
    from gone g
    where r.id = any (array[g.run_id]) and r.generation = g.generation and r.status = 'pending'
    returning r.id, r.workflow_id, r.dedupe_key
),
freed as (
    delete from stepwell.dedupe d using over o
    where o.dedupe_key is not null and d.workflow_id = any (array[o.workflow_id])
      and d.key = o.dedupe_key and d.run_id = o.id
),
unread as (
    delete from stepwell.inbox i using gone g
    where g.messages > 0 and i.run_id = any (array[g.run_id]) and i.id <> all ($60)
)
select exists (select from owner) as "owned!",
       (select count(*) from over) as "finished!",
       (select count(*) from known_steps) as "updated!",
       array(select run_id from gone where awaited) as "ended!",
       array(select distinct queue from moved where state = 'ready') as "due!",
       array(select run_id from moved where turn = 'told' and state = 'leased') as "told!"
