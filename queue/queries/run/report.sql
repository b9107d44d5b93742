-- One line for each step of a run, and one for the items of each map: how many, how they stand, how long
-- they took. Of a row that was written in several generations the newest counts.
with newest as (
    select distinct on (step, item)
           step, item >= 0 as of_items, status, attempt,
           extract(epoch from finished_at - started_at) * 1000 as ms
    from stepwell.step
    where run_id = $1
    order by step, item, generation desc
)
select step as "step!", of_items as "of_items!", count(*) as "total!", sum(attempt)::bigint as "attempts!",
       count(*) filter (where status = 'pending') as "pending!",
       count(*) filter (where status = 'running') as "running!",
       count(*) filter (where status = 'waiting') as "waiting!",
       count(*) filter (where status = 'paused') as "paused!",
       count(*) filter (where status = 'completed') as "completed!",
       count(*) filter (where status = 'failed') as "failed!",
       count(*) filter (where status = 'cancelled') as "cancelled!",
       count(*) filter (where status = 'timed_out') as "timed_out!",
       count(*) filter (where status = 'skipped') as "skipped!",
       min(ms)::float8 as min_ms, (percentile_cont(0.5) within group (order by ms))::float8 as median_ms,
       max(ms)::float8 as max_ms, sum(ms)::float8 as sum_ms
from newest
group by step, of_items
order by step, of_items
