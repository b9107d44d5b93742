//! GET `/api/v1/workflows/{id}/tasks` and `/{id}/tasks/{task}`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::super::get;
use super::document::Document;
use super::wire::Task;
use crate::App;
use crate::answer::{Found, Result, Tagged};
use crate::etag;
use crate::list::List;
use crate::onward::{Onward, cursor};
use crate::path::{NameOrId, Word};
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Lists the steps of a workflow's latest version: by `sequence` where they have one, else as written.
#[endpoint(operation_id = "list_workflow_tasks")]
pub async fn list_tasks(app: App, id: NameOrId, query: Query<Onward>) -> Result<Found<List<Task>>> {
    let workflow = get::find(&app, &id.0).await?;
    let document = Document::of(&workflow.definition)?;
    let begin = query
        .0
        .after
        .and_then(|(place, _)| usize::try_from(place.saturating_add(1)).ok())
        .unwrap_or(0);
    let limit = query.0.limit as usize;
    let order = document.order();
    let mut items = Vec::new();
    for &place in order.iter().skip(begin).take(limit) {
        items.push(Task::of(&document.steps[place], place)?);
    }
    let end = begin.saturating_add(limit);
    let next_cursor = (end < order.len())
        .then(|| i64::try_from(end).ok().map(|end| cursor(end - 1, 0)))
        .flatten();
    Ok(Found(List {
        items,
        next_cursor,
        total: None,
    }))
}

/// Returns one step of a workflow's latest version. The `ETag` is the workflow's.
#[endpoint(
    operation_id = "get_workflow_task",
    responses((status_code = 404, description = "There is no such workflow, or it has no such step.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn get_task(
    app: App,
    id: NameOrId,
    task: Word,
    _query: Query<Nothing>,
) -> Result<Tagged<Task>> {
    let workflow = get::find(&app, &id.0).await?;
    let document = Document::of(&workflow.definition)?;
    let place = document
        .place(&task.0)
        .ok_or_else(|| Problem::not_found("task", &task.0))?;
    Ok(Tagged {
        body: Task::of(&document.steps[place], place)?,
        etag: etag::tag(workflow.id, workflow.revision),
    })
}
