//! `SignalExecution`.

use serde_json::Value;
use stepwell_queue::Actor;
use stepwell_workflow::limits::PAYLOAD_BYTES_MAX;

use super::wire::signal_execution_request::Payload;
use super::wire::{Execution, SignalExecutionRequest};
use super::{execution_id, value};
use crate::App;
use crate::problem::{Fault, Problem};
use crate::runs::signal;

/// Sends a signal to an execution.
pub(super) async fn signal(
    app: &App,
    asked: SignalExecutionRequest,
    actor: Actor,
) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let payload = payload(asked.payload).map_err(|fault| Problem::invalid(vec![fault]))?;
    let sent = signal::signal(app, id, asked.name, payload, actor).await;
    sent.map(Execution::from)
}

fn payload(given: Option<Payload>) -> Result<Value, Fault> {
    match given {
        None => Ok(Value::Null),
        Some(Payload::Value(given)) => value::json(given)
            .ok_or_else(|| Fault::at("/value", "holds a number that is none in JSON")),
        Some(Payload::ValueJson(text)) if text.len() > PAYLOAD_BYTES_MAX => {
            let detail = format!(
                "has {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed",
                text.len()
            );
            Err(Fault::at("/value_json", detail))
        }
        Some(Payload::ValueJson(text)) => serde_json::from_str(&text)
            .map_err(|error| Fault::at("/value_json", format!("is not JSON: {error}"))),
    }
}
