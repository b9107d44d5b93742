//! DELETE `/api/v1/workflows/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::workflow::Deleted;

use super::get;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result};
use crate::etag::{self, IfMatch};
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Deletes a workflow. It takes no new runs, those under way go on, and its slug is free again.
#[endpoint(operation_id = "delete_workflow")]
pub async fn delete_workflow(
    app: App,
    caller: Caller,
    id: NameOrId,
    _query: Query<Nothing>,
    if_match: IfMatch,
) -> Result<Gone> {
    let workflow = get::find(&app, &id.0).await?;
    let deleted = app
        .store
        .delete_workflow(workflow.id, if_match.revisions(), &caller.0)
        .await?;
    match deleted {
        Deleted::Done => Ok(Gone),
        Deleted::NotFound => Err(Problem::not_found("workflow", &id.0)),
        Deleted::Stale { revision } => Err(etag::stale(revision)),
    }
}
