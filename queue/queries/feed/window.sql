-- A page of the records that one snapshot sees and an earlier one does not, in the order of their time.
-- $1: the earlier snapshot, $2: the later one, $3: no such record is older, $4: nor has a smaller id, $5: an
-- end that bounds what is sorted, $6 to $8: the last record of the page before, $9: how many. $10: records of transactions that
-- have not begun count as well. They came with a dump of another server, whose numbers were higher: nobody here writes them
-- any more, so whoever begins at a time reads them, and later snapshots pass over them.
select a.id as "id!", a.at as "at!", a.xid::text as "xid!", a.entity_type as "entity_type!", a.entity_id as "entity_id!",
       a.sequence as "sequence!", a.step, a.action as "action!", a.before::text as before, a.after::text as after_value,
       a.detail::text as detail, a.actor as "actor!", a.request_id,
       r.workflow_id as "workflow_id?", r.workflow_name as "workflow_name?"
from (
    select * from stepwell.audit t
    where t.at >= $3 and t.at < $5 and t.id >= $4
      and not pg_visible_in_snapshot(t.xid, $1::text::pg_snapshot)
      and (pg_visible_in_snapshot(t.xid, $2::text::pg_snapshot)
           or $10 and t.xid >= (select pg_snapshot_xmax(pg_current_snapshot())))
      and (t.at, t.entity_id, t.sequence) > ($6, $7, $8)
    order by t.at, t.entity_id, t.sequence
    limit $9
) as a
left join stepwell.run r on r.id = a.entity_id and a.entity_type in ('run', 'step')
order by a.at, a.entity_id, a.sequence
