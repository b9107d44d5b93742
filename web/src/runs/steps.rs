//! GET `/api/v1/runs/{id}/steps`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::run::StepPlace;

use super::id::RunId;
use super::wire::RunStep;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::List;
use crate::onward::{Onward, cursor};
use crate::query::Query;

/// Lists the steps of a run, in the order of its plan.
///
/// Each in its newest generation; the items of a map follow the map. Steps that have not begun are
/// `pending`, or `skipped` when the run is over.
#[endpoint(operation_id = "list_run_steps")]
pub async fn list_run_steps(
    app: App,
    id: RunId,
    query: Query<Onward>,
) -> Result<Found<List<RunStep>>> {
    let after = query.0.after.map(|(step, item)| StepPlace {
        step: i16::try_from(step).unwrap_or(i16::MAX),
        item: i32::try_from(item).unwrap_or(i32::MAX),
    });
    let page = app
        .store
        .run_steps(id.0, after, query.0.limit.into())
        .await?;
    let page = page.ok_or_else(|| id.unknown())?;
    let last = page.steps.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor(last.place.step.into(), last.place.item.into()));
    Ok(Found(List {
        items: page.steps.into_iter().map(RunStep::from).collect(),
        next_cursor,
        total: None,
    }))
}
