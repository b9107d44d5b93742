//! The input of a run: kept as it was written, once it is known that every worker can read it.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_queue::PlannedVersion;
use stepwell_workflow::limits::{PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX};

use crate::json::Json;
use crate::problem::Fault;

/// Checks an input against the bounds of payloads and the version's schema.
pub(crate) fn check_input(
    input: Option<Json>,
    planned: &PlannedVersion,
    pointer: &str,
    faults: &mut Vec<Fault>,
) -> Option<Arc<RawValue>> {
    let known = faults.len();
    let text = match input {
        Some(Json(text)) => text,
        None => RawValue::from_string("{}".to_owned()).ok()?,
    };
    if text.get().len() > PAYLOAD_BYTES_MAX {
        let detail = format!(
            "has {} bytes, at most {PAYLOAD_BYTES_MAX} are allowed",
            text.get().len()
        );
        faults.push(Fault::at(pointer, detail));
        return None;
    }
    // Kept as it was written, but only if it can be read: numbers beyond 64 bits, lone surrogates
    // and the like would stop every worker later.
    match serde_json::from_str::<Value>(text.get()) {
        Err(error) => faults.push(Fault::at(pointer, format!("cannot be read: {error}"))),
        Ok(value) if depth(&value) > PAYLOAD_DEPTH_MAX => {
            let detail = format!("is nested more than {PAYLOAD_DEPTH_MAX} levels deep");
            faults.push(Fault::at(pointer, detail));
        }
        Ok(value) => {
            let findings = planned.plan.check_input(&value);
            faults.extend(
                findings.into_iter().map(|finding| {
                    Fault::at(format!("{pointer}{}", finding.pointer), finding.detail)
                }),
            );
        }
    }
    (faults.len() == known).then(|| Arc::from(text))
}

/// Counts the levels of lists and objects. The reader has bounded them already.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
