-- The active workflows whose latest version names an agent, by one of the names in $1. A map holds
-- the step of its items in its config.
select workflow.slug
from stepwell.workflow
join stepwell.workflow_version version
  on version.workflow_id = workflow.id and version.version = workflow.latest_version
where workflow.deleted_at is null
  and workflow.status = 'active'
  and exists (
      select
      from json_array_elements(version.definition -> 'steps') step,
           lateral (values (step), (step #> '{config,step}')) called (step)
      where called.step ->> 'type' = 'agent'
        and called.step #>> '{config,agent}' = any ($1::text[])
  )
order by workflow.slug
limit $2
