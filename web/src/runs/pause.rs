//! POST `/api/v1/runs/{id}/pause` and `/resume`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::inbox::Word;
use stepwell_queue::{Actor, Sent};
use stepwell_workflow::RunStatus;

use super::id::RunId;
use super::wire::Run;
use super::{get, over};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Pauses a run: attempts in flight go on to their end, and nothing new begins.
#[endpoint(
    operation_id = "pause_run",
    responses((status_code = 409, description = "The run is over.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn pause_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
) -> Result<Accepted<Run>> {
    accepted(tell(&app, id, Word::Pause, caller.0).await?)
}

/// Resumes a paused run; does nothing to one that is not paused.
#[endpoint(
    operation_id = "resume_run",
    responses((status_code = 409, description = "The run is over.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn resume_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
) -> Result<Accepted<Run>> {
    accepted(tell(&app, id, Word::Resume, caller.0).await?)
}

fn accepted(body: Run) -> Result<Accepted<Run>> {
    Ok(Accepted::Now {
        body,
        location: None,
    })
}

/// Sends a word to a live run and answers with the run.
///
/// # Errors
/// 404 without such a run, 409 when it is over.
pub(super) async fn tell(app: &App, id: RunId, word: Word, actor: Actor) -> Result<Run> {
    match app.store.send(id.0, word, actor).await? {
        Sent::Accepted => get::find(app, id).await,
        Sent::NotFound => Err(id.unknown()),
        Sent::Over(status) => Err(over(status)),
        Sent::Cancelled => Err(over(RunStatus::Cancelled)),
    }
}
