//! POST `/api/v1/runs`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::answer::Progress;
use super::order::RunInput;
use super::place::{self, Named, Wait};
use crate::App;
use crate::actor::Caller;
use crate::answer::Result;
use crate::body::Body;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Faults, Problem};
use crate::query::Query;

/// Starts a run of the workflow that the body names.
#[endpoint(
    operation_id = "create_run",
    responses(
        (status_code = 404, description = "There is no such workflow.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The workflow is inactive, or a live run has this dedupe key.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_run(
    app: App,
    caller: Caller,
    query: Query<Wait>,
    body: Body<RunInput>,
    key: IdempotencyKey,
) -> Result<Progress> {
    let (workflow, order) = body.0.split();
    let named = Named {
        workflow: &workflow,
        pointer: Some("/workflow"),
    };
    let run = place::ready(&app, named, order, &caller.0, "input", Faults::new()).await?;
    place::place(&app, run, &key, query.0).await
}
