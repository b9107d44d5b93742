//! GET `/api/v1/runs/{id}/audit`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::id::RunId;
use super::wire::TrailRecord;
use crate::App;
use crate::answer::{Found, Result};
use crate::list::List;
use crate::onward::{Onward, cursor};
use crate::query::Query;

/// Lists the audit records of a run and its steps, in the order of their numbers.
#[endpoint(operation_id = "list_run_audit")]
pub async fn list_run_audit(
    app: App,
    id: RunId,
    query: Query<Onward>,
) -> Result<Found<List<TrailRecord>>> {
    let after = query.0.after.map_or(0, |(sequence, _)| sequence.max(0));
    let page = app.store.trail(id.0, after, query.0.limit.into()).await?;
    let page = page.ok_or_else(|| id.unknown())?;
    let last = page.records.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor(last.sequence, 0));
    Ok(Found(List {
        items: page.records.into_iter().map(TrailRecord::from).collect(),
        next_cursor,
        total: None,
    }))
}
