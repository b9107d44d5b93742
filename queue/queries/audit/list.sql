-- The newest records of a range of ids. Planned for the values at hand: of one entity by its index, else
-- by the pages that the summary of ids names. $1, $2: from and until.
select id as "id!", at as "at!", entity_type as "entity_type!", entity_id as "entity_id!",
       sequence as "sequence!", step, action as "action!", before as "before: Value",
       after as "after: Value", detail as "detail: Value", actor as "actor!", request_id
from stepwell.audit
where id >= $1 and id < $2
  and ($3::text is null or entity_type = $3)
  and ($4::uuid is null or entity_id = $4)
  and ($5::text is null or actor = $5)
  and ($6::text is null or action = $6)
order by id desc
limit $7
