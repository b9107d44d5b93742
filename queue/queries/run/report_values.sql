-- What the items of each map came to, most frequent first: $2 values of each map, those of up to $3
-- bytes. Of a decision its value counts, without the rule and the reason. Values are compared as text,
-- for not every JSON that an agent sends can be a jsonb.
with newest as (
    select distinct on (step, item) step, status,
           -- A large output is not even read.
           case when pg_column_size(output) <= 2 * $3 then
               case kind when 'decide' then output -> 'value' else output end
           end::text as value
    from stepwell.step
    where run_id = $1 and item >= 0
    order by step, item, generation desc
),
counted as (
    select step, value, count(*) as count,
           row_number() over (partition by step order by value is null, count(*) desc, value) as place
    from (select step, case when octet_length(value) <= $3 then value end as value
          from newest where status = 'completed') as known
    group by step, value
)
select step as "step!", case when place <= $2 then value end as value, sum(count)::bigint as "count!"
from counted
group by step, case when place <= $2 then value end, case when place <= $2 and value is not null then place end
order by step, min(place)
