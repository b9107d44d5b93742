//! POST `/api/v1/callbacks/{token}`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::Actor;
use stepwell_queue::deliver::{Door, Said};
use stepwell_workflow::{Failure, Outcome};

use super::{ErrorInput, LogLineInput, read_lines, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::example::Example;
use crate::path;
use crate::payload;
use crate::problem::{Fault, Faults, Problem};
use crate::query::{Nothing, Query};

/// What an attempt came to that its agent finished later.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "CallbackInput"))]
pub struct CallbackInput {
    /// `completed` or `failed`.
    status: String,
    /// The step's output, when it completed; null when absent.
    #[serde(default)]
    output: Value,
    /// What went wrong, when it failed.
    #[serde(default)]
    error: Option<ErrorInput>,
    /// Lines for the run's log.
    #[serde(default)]
    logs: Vec<LogLineInput>,
}

impl Example for CallbackInput {
    fn example() -> Value {
        json!({"status": "completed", "output": {"score": 0.93},
               "logs": [{"level": "info", "message": "scored 12 documents"}]})
    }
}

/// What was said is durable, and the run hears of it.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Receipt"))]
pub struct Receipt {
    /// `accepted`.
    pub status: &'static str,
}

impl Receipt {
    /// The only one there is.
    pub const ACCEPTED: Self = Self { status: "accepted" };
}

impl Example for Receipt {
    fn example() -> Value {
        json!(Self::ACCEPTED)
    }
}

/// Reports what an attempt came to, for an agent that answered 202.
///
/// The token came with the call, in `callback_url`, and needs no other credentials. Saying the same
/// twice is answered like the first time.
#[endpoint(
    operation_id = "report_callback",
    responses(
        (status_code = 404, description = "The token is none.", body = Problem, content_type = "application/problem+json"),
        (status_code = 409, description = "The attempt is over, or something else was reported for it.", body = Problem, content_type = "application/problem+json"),
        (status_code = 410, description = "The step's timeout is over.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn report_callback(
    app: App,
    caller: Caller,
    token: path::Token,
    _query: Query<Nothing>,
    body: Body<CallbackInput>,
) -> Result<Found<Receipt>> {
    let mut faults = Faults::new();
    let outcome = outcome(&body.0.status, body.0.output, body.0.error, &mut faults);
    let lines = read_lines(body.0.logs, "/logs", &mut faults);
    let Some(outcome) = outcome.filter(|_| faults.is_empty()) else {
        return Err(Problem::invalid(faults));
    };
    let said = Said {
        outcome,
        lines,
        actor: Actor {
            name: "callback".to_owned(),
            ..caller.0
        },
    };
    let delivered = app.store.deliver(&token.0, Door::Callback, said).await?;
    refused(delivered).map_or(Ok(Found(Receipt::ACCEPTED)), Err)
}

fn outcome(
    status: &str,
    output: Value,
    error: Option<ErrorInput>,
    faults: &mut Faults,
) -> Option<Outcome> {
    match status {
        "completed" => {
            if error.is_some() {
                faults.push(Fault::at("/error", "is only for `failed`"));
            }
            payload::bound(&output, "/output", faults);
            Some(Outcome::Completed(output))
        }
        "failed" => {
            if !output.is_null() {
                faults.push(Fault::at("/output", "is only for `completed`"));
            }
            let failure = match error {
                Some(error) => error.failure("agent_error", true),
                None => Failure::retryable("agent_error", "the agent reported a failure"),
            };
            Some(Outcome::Failed {
                failure,
                status: None,
                retry_after: None,
            })
        }
        other => {
            let detail = format!("must be `completed` or `failed`, not {other:?}");
            faults.push(Fault::at("/status", detail));
            None
        }
    }
}
