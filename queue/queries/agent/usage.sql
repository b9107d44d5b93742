-- The active workflows whose latest version names an agent, by one of the names in $1. A step may hold
-- steps: a map that of its items, any the one that undoes it. What looks like a step in data is none.
select workflow.slug
from stepwell.workflow
join stepwell.workflow_version version
  on version.workflow_id = workflow.id and version.version = workflow.latest_version
where workflow.deleted_at is null
  and workflow.status = 'active'
  and exists (
      with recursive called (step) as (
          select step
          from (values (version.definition -> 'steps'), (version.definition -> 'on_failure')) list (steps),
               lateral json_array_elements(list.steps) step
          union all
          select inside.step
          from called,
               lateral (values (called.step #> '{config,step}'), (called.step -> 'compensate')) inside (step)
          where json_typeof(inside.step) = 'object'
      )
      select
      from called
      where called.step ->> 'type' = 'agent'
        and called.step #>> '{config,agent}' = any ($1::text[])
  )
order by workflow.slug
limit $2
