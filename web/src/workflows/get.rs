//! GET `/api/v1/workflows/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::workflow;

use super::wire::Workflow;
use crate::App;
use crate::answer::{Result, Tagged};
use crate::etag;
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Returns a workflow with its latest version.
#[endpoint(operation_id = "get_workflow")]
pub async fn get_workflow(
    app: App,
    id: NameOrId,
    _query: Query<Nothing>,
) -> Result<Tagged<Workflow>> {
    let workflow = find(&app, &id.0).await?;
    Ok(Tagged {
        etag: etag::tag(workflow.id, workflow.revision),
        body: Workflow::of(workflow)?,
    })
}

/// Finds the workflow that a path names.
///
/// # Errors
/// 404 when there is none, or it is deleted.
pub(super) async fn find(app: &App, slug_or_id: &str) -> Result<workflow::Workflow> {
    let workflow = app.store.workflow(slug_or_id).await?;
    workflow.ok_or_else(|| Problem::not_found("workflow", slug_or_id))
}
