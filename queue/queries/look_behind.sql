-- Due jobs of one queue behind the floor of its claims ($4 to $6), in a slice of the table: from block $2 on
-- and before block $3. The table is read itself, because in the index the dead entries that somebody's old
-- snapshot keeps stand in the way: of a slice never more are passed than fit into its blocks.
select pg_relation_size('stepwell.job') / current_setting('block_size')::bigint as "blocks!",
       due.run_id as "run_id?"
from (select) as once
left join lateral (
    select j.run_id
    from stepwell.job j
    where j.ctid >= $2::text::tid and j.ctid < $3::text::tid and j.queue = $1 and j.deaths = 0
      and (j.state = 'ready' and (j.rank, j.run_id) <= ($4, $5)
           or j.state = 'timed' and j.run_at < $6 and j.run_at <= now())
    limit $7
) as due on true
