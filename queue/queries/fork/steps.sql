-- Copies the results of steps that completed into another run, each with a record; returns how many. $3,
-- $4: their places in the plans of the two; $5, $6: who asked. The records come after the first two of
-- the new run. No attempt of these steps was made in the new run, so the attempt is 0; of a map it also
-- says that all its items count. Items of an earlier list of the map are left behind.
with copied as (
    insert into stepwell.step
        (run_id, child_run_id, started_at, finished_at, item, generation, status, step, attempt, max_attempts,
         name, kind, input, output, error)
    select $2, s.child_run_id, s.started_at, s.finished_at, s.item, 1, s.status, k.there,
           case when s.item = -1 then 0 else s.attempt end, s.max_attempts, s.name, s.kind, s.input, s.output, s.error
    from (select unnest($3::smallint[]) as here, unnest($4::smallint[]) as there) as k
    cross join lateral (
        select distinct on (item) * from stepwell.step
        where step.run_id = $1 and step.step = k.here
        order by item, generation desc
    ) as s
    where s.item = -1
       or s.generation >= (select m.attempt from stepwell.step m
                           where m.run_id = $1 and m.step = k.here and m.item = -1
                           order by m.generation desc limit 1)
    returning step, item, name, status
),
records as (
    insert into stepwell.audit (id, entity_type, entity_id, sequence, step, action, after, detail, actor, request_id)
    select (overlay(gen_random_uuid()::text placing
                    regexp_replace(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0'),
                                   '^(.{8})(.{4})$', '\1-\2-7') from 1 for 15))::uuid,
           'step', $2, 2 + row_number() over (order by step, item), name, 'step.kept', to_json(status::text),
           json_build_object('run_id', $1::uuid), $5::text, $6::text
    from copied
    returning id
)
select count(*) as "count!" from records
