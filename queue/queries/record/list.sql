-- A page of records. It is planned for the values at hand: what is not asked for folds away, and what
-- is left of the order is that of an index. $6: what to sort by, $7: whether ascending, $8 and $9: where
-- the page before ended.
select id as "id!", source as "source!", category as "category!", status as "status!",
       payload as "payload!: Json<Box<RawValue>>", run_id, created_by as "created_by!",
       created_at as "created_at!", updated_at as "updated_at!"
from stepwell.record
where (cardinality($1::text[]) = 0 or status = any ($1))
  and ($2::text is null or category = $2)
  and ($3::text is null or source = $3)
  and ($4::uuid is null or id >= $4)
  and ($5::uuid is null or id < $5)
  and case
          when $9::uuid is null then true
          when $6::text = 'status' then case when $7::boolean then (status, id) > ($8::text, $9) else (status, id) < ($8, $9) end
          when $6 = 'category' then case when $7 then (category, id) > ($8, $9) else (category, id) < ($8, $9) end
          when $6 = 'source' then case when $7 then (source, id) > ($8, $9) else (source, id) < ($8, $9) end
          when $7 then id > $9
          else id < $9
      end
order by case when $6 = 'status' and $7 then status end,
         case when $6 = 'status' and not $7 then status end desc,
         case when $6 = 'category' and $7 then category end,
         case when $6 = 'category' and not $7 then category end desc,
         case when $6 = 'source' and $7 then source end,
         case when $6 = 'source' and not $7 then source end desc,
         case when $7 then id end,
         case when not $7 then id end desc
offset $10 limit $11
