//! GET `/api/v1/runs/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::id::RunId;
use super::wire::Run;
use crate::App;
use crate::answer::{Found, Result};
use crate::query::{Nothing, Query};

/// Returns a run as it stands.
///
/// Before its first worker has it, a run is `pending`, or `waiting` on `run_at`. Between two
/// workers it is `running`.
#[endpoint(operation_id = "get_run")]
pub async fn get_run(app: App, id: RunId, _query: Query<Nothing>) -> Result<Found<Run>> {
    find(&app, id).await.map(Found)
}

/// Reads the run that a path names.
///
/// # Errors
/// 404 when there is none.
pub(crate) async fn find(app: &App, id: RunId) -> Result<Run> {
    stored(app, id).await.map(Run::from)
}

/// Reads the run that a path names, as the store has it.
///
/// # Errors
/// 404 when there is none.
pub(super) async fn stored(app: &App, id: RunId) -> Result<stepwell_queue::Run> {
    let run = app.store.run(id.0).await?;
    run.ok_or_else(|| id.unknown())
}
