//! `GetWorkflowStatus`.

use super::execution_id;
use super::wire::{Execution, GetWorkflowStatusRequest};
use crate::App;
use crate::problem::Problem;
use crate::runs::get::find;

/// Returns an execution as it stands.
pub(super) async fn get(app: &App, asked: &GetWorkflowStatusRequest) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    find(app, id).await.map(Execution::from)
}
