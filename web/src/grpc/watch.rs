//! `WatchExecution`.

use futures::StreamExt as _;
use stepwell_queue::Actor;

use super::update::updates;
use super::wire::{ExecutionStatus, WatchExecutionRequest};
use super::{Updates, execution_id};
use crate::App;
use crate::events::run;
use crate::problem::{Fault, Problem};

/// Follows an execution from after a sequence on. One that is over and was seen to its end has no
/// more updates: the stream ends at once.
pub(super) async fn watch(
    app: &App,
    asked: &WatchExecutionRequest,
    actor: Actor,
) -> Result<Updates, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let after = asked.after_sequence;
    if after < 0 {
        let detail = format!("must be 0 or more, not {after}");
        return Err(Problem::invalid(vec![Fault::at("/after_sequence", detail)]));
    }
    // In the middle of its life an execution runs, until a record says otherwise.
    let known = if after == 0 {
        ExecutionStatus::Pending
    } else {
        ExecutionStatus::Running
    };
    Ok(match run::watch(app, id, after).await? {
        Some(watch) => updates(app, watch, known, actor),
        None => futures::stream::empty().boxed(),
    })
}
