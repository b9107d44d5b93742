//! `/api/v1/workflows/{id}/tasks`: the steps of a workflow, one by one.
//!
//! A task is a step as it was written, with its position in the list. Every change writes the whole
//! definition anew, by the same way as PUT of the workflow: the same checks, the same version, the same
//! audit record. So a task that others need cannot go, and a fault that a change would make elsewhere
//! is told as well.

pub mod change;
mod document;
pub mod read;
pub mod wire;

use salvo::Router;

/// Returns the routes below a workflow.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("tasks")
        .get(read::list_tasks)
        .post(change::create_task)
        .push(
            Router::with_path("{task}")
                .get(read::get_task)
                .put(change::replace_task)
                .delete(change::delete_task),
        )
}
