//! POST `/api/v1/trigger`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::Enqueued;
use uuid::Uuid;

use super::order::ExecuteInput;
use super::place::{self, Named};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::body::Body;
use crate::example::Example;
use crate::idempotency::IdempotencyKey;
use crate::json::{Json, given};
use crate::problem::{Faults, Problem};
use crate::query::{Nothing, Query};

/// Which workflow is to run, and on what.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "TriggerInput"))]
pub struct TriggerInput {
    /// The slug or id.
    workflow_id: String,
    /// The input of the run; `{}` when absent.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    payload: Option<Json>,
}

impl Example for TriggerInput {
    fn example() -> Value {
        json!({"workflow_id": "my-workflow", "payload": {"user": "Ada"}})
    }
}

/// The run that was started.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Triggered"))]
pub struct Triggered {
    run_id: Uuid,
    /// Always `triggered`.
    status: &'static str,
}

impl Example for Triggered {
    fn example() -> Value {
        json!({"run_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "status": "triggered"})
    }
}

/// Starts a run of a workflow on a payload.
#[endpoint(
    operation_id = "trigger_workflow",
    responses(
        (status_code = 404, description = "There is no such workflow.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The workflow is inactive.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn trigger_workflow(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<TriggerInput>,
    key: IdempotencyKey,
) -> Result<Accepted<Triggered>> {
    let named = Named {
        workflow: &body.0.workflow_id,
        pointer: Some("/workflow_id"),
    };
    let order = ExecuteInput {
        input: body.0.payload,
        ..ExecuteInput::default()
    };
    let mut run = place::ready(&app, named, order, &caller.0, "payload", Faults::new()).await?;
    let body = Triggered {
        run_id: run.id,
        status: "triggered",
    };
    let location = place::location(&run);
    run.idempotency = key.with(202, Some(location.clone()), &body)?;
    match app.store.enqueue(run).await? {
        Enqueued::Created => Ok(Accepted::Now {
            body,
            location: Some(location),
        }),
        other => place::refused(other).map(Accepted::Before),
    }
}
