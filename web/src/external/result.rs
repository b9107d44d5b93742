//! POST `/api/v1/external/{token}/complete` and `/fail`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::Actor;
use stepwell_queue::deliver::{Door, Said};
use stepwell_workflow::{Failure, Outcome};

use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::body::MaybeBody;
use crate::callbacks::{ErrorInput, Receipt, refused};
use crate::example::Example;
use crate::path;
use crate::payload;
use crate::problem::{Faults, Problem};
use crate::query::{Nothing, Query};

/// What the work came to.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "CompleteInput"))]
pub struct CompleteInput {
    /// The step's output; null when absent.
    #[serde(default)]
    output: Value,
}

impl Example for CompleteInput {
    fn example() -> Value {
        json!({"output": {"sheets": 24}})
    }
}

/// Why the work was not done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "FailInput"))]
pub struct FailInput {
    #[serde(default)]
    error: Option<ErrorInput>,
    /// Whether another attempt may help; true when absent. The step's retry policy decides.
    #[serde(default)]
    retryable: Option<bool>,
}

impl Example for FailInput {
    fn example() -> Value {
        json!({"error": "out of paper", "retryable": true})
    }
}

/// Reports that leased work is done. Saying the same twice is answered like the first time.
#[endpoint(
    operation_id = "complete_external",
    responses(
        (status_code = 404, description = "The token is none.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The attempt is over, or somebody else has the lease.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn complete_external(
    app: App,
    caller: Caller,
    token: path::Token,
    _query: Query<Nothing>,
    body: MaybeBody<CompleteInput>,
) -> Result<Found<Receipt>> {
    let mut faults = Faults::new();
    if !payload::bound(&body.0.output, "/output", &mut faults) {
        return Err(Problem::invalid(faults));
    }
    let outcome = Outcome::Completed(body.0.output);
    tell(&app, caller, &token.0, outcome).await
}

/// Reports that leased work failed. Saying the same twice is answered like the first time.
#[endpoint(
    operation_id = "fail_external",
    responses(
        (status_code = 404, description = "The token is none.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The attempt is over, or somebody else has the lease.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn fail_external(
    app: App,
    caller: Caller,
    token: path::Token,
    _query: Query<Nothing>,
    body: MaybeBody<FailInput>,
) -> Result<Found<Receipt>> {
    let retryable = body.0.retryable.unwrap_or(true);
    let failure = match body.0.error {
        Some(error) => error.failure("external_error", retryable),
        None => Failure {
            retryable,
            ..Failure::fatal("external_error", "the work was reported as failed")
        },
    };
    let outcome = Outcome::Failed {
        failure,
        status: None,
        retry_after: None,
    };
    tell(&app, caller, &token.0, outcome).await
}

async fn tell(app: &App, caller: Caller, token: &str, outcome: Outcome) -> Result<Found<Receipt>> {
    let name = format!("external:{}", caller.0.name);
    let said = Said {
        outcome,
        lines: Vec::new(),
        actor: Actor { name, ..caller.0 },
    };
    let delivered = app.store.deliver(token, Door::External, said).await?;
    refused(delivered).map_or(Ok(Found(Receipt::ACCEPTED)), Err)
}
