//! The input of a run: kept as it was written, once it is known that every worker can read it and
//! that the version's schema takes it.

use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_queue::PlannedVersion;

use crate::json::Json;
use crate::payload;
use crate::problem::{Fault, Faults};

/// Checks an input against the bounds of payloads and, where the version is known, its schema.
pub(crate) fn check_input(
    input: Option<Json>,
    planned: Option<&PlannedVersion>,
    pointer: &str,
    faults: &mut Faults,
) -> Option<Arc<RawValue>> {
    let text = match input {
        Some(Json(text)) => text,
        None => RawValue::from_string("{}".to_owned()).ok()?,
    };
    let known = faults.len();
    if let Some(value) = payload::read(&text, pointer, faults)
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
