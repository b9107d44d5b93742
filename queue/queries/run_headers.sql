-- What a driver needs to know of runs that were leased and did not begin on the day that the claim looked at.
select r.id as "run_id!", r.workflow_id as "workflow_id!", r.workflow_name as "workflow_name!", r.version as "version!",
       r.generation as "generation!", r.input::text as input, r.created_at as "created_at!", r.timeout_ms,
       r.parent_id, r.parent_step, r.parent_item, r.parent_generation, r.request_id, r.traceparent
from unnest($1::uuid[]) as wanted (run_id)
join stepwell.run r on r.id = any (array[wanted.run_id])
