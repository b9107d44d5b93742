//! `CancelExecution`.

use stepwell_queue::Actor;

use super::execution_id;
use super::wire::{CancelExecutionRequest, Execution};
use crate::App;
use crate::body::storable;
use crate::problem::{Faults, Problem};
use crate::runs::answer::Progress;
use crate::runs::cancel;

/// Cancels an execution. One that was cancelled before is told as it is.
pub(super) async fn cancel(
    app: &App,
    asked: CancelExecutionRequest,
    actor: Actor,
) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let mut faults = Faults::new();
    if let Some(reason) = &asked.reason {
        storable::text(reason, "/reason", &mut faults);
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    match cancel::cancel(app, id, asked.reason, actor).await? {
        Progress::Done(run) | Progress::Accepted { body: run, .. } => Ok(run.into()),
        Progress::Before(_) => Err(Problem::internal("a cancel has no idempotency key")),
    }
}
