//! POST `/api/v1/runs/{id}/cancel`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::inbox::Word;
use stepwell_queue::{Actor, Sent};
use stepwell_workflow::RunStatus;

use super::answer::Progress;
use super::id::RunId;
use super::limits::REASON_CHARS_MAX;
use super::{get, over};
use crate::App;
use crate::actor::Caller;
use crate::answer::Result;
use crate::body::MaybeBody;
use crate::example::Example;
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Query};

/// Why a run is cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "CancelInput"))]
pub struct CancelInput {
    /// For the run and its trail.
    #[serde(default)]
    #[salvo(schema(max_length = 1000))]
    reason: Option<String>,
}

impl Example for CancelInput {
    fn example() -> Value {
        json!({"reason": "The order was withdrawn."})
    }
}

/// Cancels a run: what is in flight is aborted, what has not begun is skipped.
///
/// 202 with the run as it is now; 200 when it was cancelled before.
#[endpoint(
    operation_id = "cancel_run",
    responses((status_code = 409, description = "The run is over, and was not cancelled.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn cancel_run(
    app: App,
    caller: Caller,
    id: RunId,
    _query: Query<Nothing>,
    body: MaybeBody<CancelInput>,
) -> Result<Progress> {
    cancel(&app, id, body.0.reason, caller.0).await
}

/// Cancels a run, whatever door it was asked through.
///
/// # Errors
/// 404 without such a run, 409 when it is over and was not cancelled, 422 for a reason too long.
pub(crate) async fn cancel(
    app: &App,
    id: RunId,
    reason: Option<String>,
    actor: Actor,
) -> Result<Progress> {
    if let Some(reason) = &reason
        && reason.chars().count() > REASON_CHARS_MAX
    {
        let detail = format!("may have up to {REASON_CHARS_MAX} characters");
        return Err(Problem::invalid(vec![Fault::at("/reason", detail)]));
    }
    match app.store.send(id.0, Word::Cancel { reason }, actor).await? {
        Sent::Accepted | Sent::Cancelled => Ok(Progress::Accepted {
            body: get::find(app, id).await?,
            location: None,
        }),
        Sent::Over(RunStatus::Cancelled) => get::find(app, id).await.map(Progress::Done),
        Sent::Over(status) => Err(over(status)),
        Sent::NotFound => Err(id.unknown()),
    }
}
