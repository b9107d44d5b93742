//! `/api/v1/workflows`.

pub mod check;
pub mod create;
pub mod delete;
pub mod get;
pub mod graph;
pub mod list;
pub mod replace;
mod shape;
pub mod slug;
pub mod tasks;
pub mod validate;
pub mod versions;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

use crate::runs;

/// Returns the routes of workflows.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("workflows")
        .oapi_tag("Workflows")
        .post(create::create_workflow)
        .get(list::list_workflows)
        .push(Router::with_path("validate").post(validate::validate_workflow))
        .push(
            Router::with_path("{id}")
                .get(get::get_workflow)
                .put(replace::replace_workflow)
                .delete(delete::delete_workflow)
                .push(Router::with_path("execute").post(runs::execute::execute_workflow))
                .push(Router::with_path("graph").get(graph::get_workflow_graph))
                .push(tasks::routes())
                .push(
                    Router::with_path("versions")
                        .get(versions::list_workflow_versions)
                        .push(Router::with_path("{version}").get(versions::get_workflow_version)),
                ),
        )
}
