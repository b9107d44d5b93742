//! `RetryExecution`.

use stepwell_queue::Actor;

use super::execution_id;
use super::wire::{Execution, RetryExecutionRequest};
use crate::App;
use crate::body::storable;
use crate::problem::{Faults, Problem};
use crate::runs::retry::{self, RetryInput};

/// Opens the next generation of an execution that did not complete.
pub(super) async fn retry(
    app: &App,
    asked: RetryExecutionRequest,
    actor: Actor,
) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let mut faults = Faults::new();
    if let Some(step) = &asked.from_step {
        storable::text(step, "/from_step", &mut faults);
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let input = RetryInput {
        from_step: asked.from_step,
        reset: asked.reset,
    };
    retry::retry(app, id, input, actor)
        .await
        .map(Execution::from)
}
