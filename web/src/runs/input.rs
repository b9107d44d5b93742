//! The input of a run: kept as it was written, once it is known that every worker can read it.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_queue::PlannedVersion;
use stepwell_workflow::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX};

use crate::json::Json;
use crate::problem::Fault;

/// Checks an input against the bounds of payloads and, where the version is known, its schema.
pub(crate) fn check_input(
    input: Option<Json>,
    planned: Option<&PlannedVersion>,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Option<Arc<RawValue>> {
    let known = faults.len();
    let text = match input {
        Some(Json(text)) => text,
        None => RawValue::from_string("{}".to_owned()).ok()?,
    };
    if let Some(value) = read_payload(&text, pointer, faults)
        && let Some(planned) = planned
    {
        let findings = planned.plan.check_input(&value).into_iter();
        faults.extend(
            findings
                .map(|finding| Fault::at(format!("{pointer}{}", finding.pointer), finding.detail)),
        );
    }
    (faults.len() == known).then(|| Arc::from(text))
}

/// Reads a payload that is to be kept as it was written, but only if it can be read: numbers beyond 64
/// bits, lone surrogates and the like would stop every worker later.
pub(crate) fn read_payload(
    text: &RawValue,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Option<Value> {
    let bytes = text.get().len();
    if bytes > PAYLOAD_BYTES_MAX {
        let detail = format!("has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed");
        faults.push(Fault::at(pointer, detail));
        return None;
    }
    match serde_json::from_str::<Value>(text.get()) {
        Ok(value) => {
            let deep = too_deep(&value);
            let fine = deep.is_none();
            faults.extend(deep.map(|detail| Fault::at(pointer, detail)));
            fine.then_some(value)
        }
        Err(error) => {
            faults.push(Fault::at(pointer, format!("cannot be read: {error}")));
            None
        }
    }
}

/// Says that a payload is nested deeper than every worker can read.
pub(crate) fn too_deep(value: &Value) -> Option<String> {
    (depth(value) > PAYLOAD_DEPTH_MAX)
        .then(|| format!("is nested more than {PAYLOAD_DEPTH_MAX} levels deep"))
}

/// Counts the levels of lists and objects. The reader has bounded them already.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
