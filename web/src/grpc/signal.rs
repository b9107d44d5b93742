//! `SignalExecution`.

use serde_json::Value;
use stepwell_queue::Actor;
use stepwell_workflow::limits::NAME_CHARS_MAX;

use super::wire::signal_execution_request::Payload;
use super::wire::{Execution, SignalExecutionRequest};
use super::{execution_id, value};
use crate::App;
use crate::body::storable;
use crate::payload;
use crate::problem::{Fault, Faults, Problem};
use crate::runs::signal;

/// Sends a signal to an execution.
pub(super) async fn signal(
    app: &App,
    asked: SignalExecutionRequest,
    actor: Actor,
) -> Result<Execution, Problem> {
    let id = execution_id(&asked.execution_id)?;
    let mut faults = Faults::new();
    if !(1..=NAME_CHARS_MAX).contains(&asked.name.chars().count()) {
        let detail = format!("must have 1 to {NAME_CHARS_MAX} characters");
        faults.push(Fault::at("/name", detail));
    }
    storable::text(&asked.name, "/name", &mut faults);
    let (payload, at) = payload(asked.payload, &mut faults);
    let (Some(payload), true) = (payload, faults.is_empty()) else {
        return Err(Problem::invalid(faults));
    };
    let sent = signal::signal(app, id, asked.name, (payload, at), actor).await;
    sent.map(Execution::from)
}

/// Reads the payload, and says where it stood.
fn payload(given: Option<Payload>, faults: &mut Faults) -> (Option<Value>, &'static str) {
    let (raw, at) = match given {
        None => return (Some(Value::Null), "/value"),
        Some(Payload::Value(given)) => (value::raw(given, "/value", faults), "/value"),
        Some(Payload::ValueJson(text)) => {
            (value::read(&text, "/value_json", faults), "/value_json")
        }
    };
    (raw.and_then(|raw| payload::read(&raw, at, faults)), at)
}
