//! POST `/api/v1/workflows/{id}/execute`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::answer::Progress;
use super::order::ExecuteInput;
use super::place::{self, Named, Wait};
use crate::App;
use crate::actor::Caller;
use crate::answer::Result;
use crate::body::MaybeBody;
use crate::idempotency::IdempotencyKey;
use crate::path::NameOrId;
use crate::problem::{Faults, Problem};
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
    let named = Named {
        workflow: &id.0,
        pointer: None,
    };
    let run = place::ready(&app, named, body.0, &caller.0, "input", Faults::new()).await?;
    place::place(&app, run, &key, query.0).await
}
