-- What events tell of their runs, each as its record's own commit made it, however late it is asked. Most of it never
-- changes. A retry opens the next generation and clears the run's row, and its record keeps what the row forgets: so the
-- first such record after the one told of says which generation that was, and how long it took. Only an end
-- that completed has an output, and none of those is retried. $1: runs, $2: numbers of their records, $3: whether a run
-- ended with it, $4: bytes of an output that is told.
select w.nth as "nth!", r.version, coalesce(n.generation - 1, r.generation) as "generation!",
       r.labels as "labels: Json<BTreeMap<String, String>>", r.parent_id, r.created_at, r.traceparent,
       case when n.sequence is null then r.started_at else n.last_started_at end as started_at,
       case when n.sequence is null then r.finished_at else n.last_finished_at end as finished_at,
       case when w.ends and r.status = 'completed' and n.sequence is null and octet_length(r.output::text) <= $4 then r.output end
           as "output: Json<Box<RawValue>>",
       w.ends and r.status = 'completed' and n.sequence is null and coalesce(octet_length(r.output::text) > $4, false) as "omitted!"
from (select unnest($1::uuid[]) as run_id, unnest($2::bigint[]) as sequence, unnest($3::boolean[]) as ends,
             generate_subscripts($1::uuid[], 1) as nth) as w
join stepwell.run r on r.id = any (array[w.run_id])
left join lateral (
    select a.sequence, (a.detail ->> 'generation')::int as generation,
           (a.detail ->> 'last_started_at')::timestamptz as last_started_at,
           (a.detail ->> 'last_finished_at')::timestamptz as last_finished_at
    from stepwell.audit a
    where r.generation > 1 and a.entity_id = r.id and a.sequence > w.sequence and a.action = 'run.retry_requested'
    order by a.sequence
    limit 1
) n on true
