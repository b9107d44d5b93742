//! `RetryExecution`.

use stepwell_queue::Actor;

use super::execution_id;
use super::wire::{Execution, RetryExecutionRequest};
use crate::App;
use crate::problem::Problem;
use crate::runs::retry::{self, RetryInput};

/// Opens the next generation of an execution that did not complete.
pub(super) async fn retry(
    app: &App,
    asked: RetryExecutionRequest,
    actor: Actor,
) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let input = RetryInput {
        from_step: asked.from_step,
        reset: asked.reset,
    };
    retry::retry(app, id, input, actor)
        .await
        .map(Execution::from)
}
