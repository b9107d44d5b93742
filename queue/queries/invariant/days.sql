-- The days of a table's partitions, and how much each holds.
select to_date(right(c.relname, 8), 'YYYYMMDD') as "day!", pg_relation_size(c.oid) as "bytes!"
from pg_inherits i
join pg_class c on c.oid = i.inhrelid
where i.inhparent = ('stepwell.' || $1::text)::regclass and c.relname ~ '_[0-9]{8}$'
order by 1
