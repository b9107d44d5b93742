-- Asks a worker to drain. One statement, so that a process that is frozen meanwhile does not keep the worker from
-- its heartbeat. The lock is weaker than the one that marks it dead, and no match for the key share of its commits:
-- neither waits for long. $1: the worker, $2: the record's id, $3: the actor, $4: the request.
with seen as materialized (
    select id, name, status from stepwell.worker where id = $1 for no key update
),
drained as (
    update stepwell.worker w set status = 'draining'
    from seen s
    where w.id = s.id and s.status = 'alive'
    returning w.id, s.name
),
record as (
    insert into stepwell.audit (id, entity_type, entity_id, sequence, action, before, after, actor, request_id)
    select $2, 'worker', d.id, 1 + (select count(*) from stepwell.audit a where a.entity_id = d.id),
           'worker.drain_requested', json_build_object('name', d.name, 'status', 'alive'),
           json_build_object('name', d.name, 'status', 'draining'), $3, $4
    from drained d
)
select s.status as "before!", exists (select from drained) as "drained!" from seen s
