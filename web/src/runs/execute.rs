//! POST `/api/v1/workflows/{id}/execute`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::answer::Progress;
use super::order::ExecuteInput;
use super::place::{self, Wait};
use crate::App;
use crate::actor::Caller;
use crate::answer::Result;
use crate::body::MaybeBody;
use crate::idempotency::IdempotencyKey;
use crate::path::NameOrId;
use crate::problem::Problem;
use crate::query::Query;

/// Starts a run of a workflow. The body may be left out.
#[endpoint(
    operation_id = "execute_workflow",
    responses((status_code = 409, description = "The workflow is inactive, or a live run has this dedupe key.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn execute_workflow(
    app: App,
    caller: Caller,
    id: NameOrId,
    query: Query<Wait>,
    body: MaybeBody<ExecuteInput>,
    key: IdempotencyKey,
) -> Result<Progress> {
    let planned = place::find(&app, &id.0, body.0.version, None).await?;
    let run = place::check(body.0, &planned, &caller.0, "input")?;
    place::place(&app, run, &key, query.0).await
}
