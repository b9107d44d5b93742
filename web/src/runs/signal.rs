//! POST `/api/v1/runs/{id}/signals/{name}`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Deserialize;
use serde_json::{Value, json};
use stepwell_queue::inbox::Word;
use stepwell_workflow::limits::NAME_CHARS_MAX;

use super::id::RunId;
use super::pause::tell;
use super::wire::Run;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::body::MaybeBody;
use crate::example::Example;
use crate::path;
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Query};

/// What a signal carries.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "SignalInput"))]
pub struct SignalInput {
    /// The output of the step that waits for the signal; null when absent.
    #[serde(default)]
    payload: Value,
}

impl Example for SignalInput {
    fn example() -> Value {
        json!({"payload": {"approved": true}})
    }
}

/// Sends a signal to a run. It is kept until a step of the run waits for it.
#[endpoint(
    operation_id = "signal_run",
    responses((status_code = 409, description = "The run is over.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn signal_run(
    app: App,
    caller: Caller,
    id: RunId,
    name: path::Word,
    _query: Query<Nothing>,
    body: MaybeBody<SignalInput>,
) -> Result<Accepted<Run>> {
    let name = name.0;
    if !(1..=NAME_CHARS_MAX).contains(&name.chars().count()) {
        let detail = format!("a signal's name has 1 to {NAME_CHARS_MAX} characters");
        return Err(Problem::parameters(vec![Fault::parameter("name", detail)]));
    }
    let payload = body.0.payload;
    tell(&app, id, Word::Signal { name, payload }, caller).await
}
