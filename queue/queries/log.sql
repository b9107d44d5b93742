-- Keeps lines of logs while there is room. $8: lines of a step, $9: lines of a run. The line that would
-- be the last of a step or a run says that the log is full. The caller holds the locks of these runs.
with new as materialized (
    select *, row_number() over () as place
    from (select unnest($1::uuid[]) as run_id, unnest($2::uuid[]) as id, unnest($3::timestamptz[]) as at,
                 unnest($4::smallint[]) as attempt, unnest($5::smallint[]) as level, unnest($6::text[]) as step,
                 unnest($7::text[]) as message) as n
),
known as materialized (
    select r.run_id, l.step, l.lines
    from (select distinct run_id from new) as r
    cross join lateral (
        select step, count(*) as lines from stepwell.log where log.run_id = r.run_id group by step) as l
),
by_step as (
    select n.*, row_number() over (partition by n.run_id, n.step order by n.place) + coalesce(k.lines, 0) as in_step
    from new n
    left join known k on k.run_id = n.run_id and k.step = n.step
),
by_run as (
    select b.*, row_number() over (partition by b.run_id order by b.place) + coalesce(k.lines, 0) as in_run
    from by_step b
    left join (select run_id, sum(lines)::bigint as lines from known group by run_id) as k on k.run_id = b.run_id
    where b.in_step <= $8
)
insert into stepwell.log (run_id, id, at, attempt, level, step, message)
select run_id, id, at, attempt,
       case when in_run = $9 or in_step = $8 then 3 else level end,
       step,
       case when in_run = $9 then 'the log of this run is full at ' || $9::bigint || ' lines: what follows is not kept'
            when in_step = $8 then 'the log of this step is full at ' || $8::bigint || ' lines: what follows is not kept'
            else message end
from by_run
where in_run <= $9
