//! JSON that a client leaves with us: kept as it was written, once it is known that everybody who
//! reads it later can. Numbers beyond 64 bits, lone surrogates and nesting without end would stop a
//! worker, or Postgres, in the middle of a run.

use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_workflow::limits::{
    OBJECT_VALUES, PAYLOAD_BYTES_MAX, PAYLOAD_DEPTH_MAX, PAYLOAD_VALUES_MAX,
};
use stepwell_workflow::payload;

use crate::problem::{Fault, Faults};

/// Reads a payload within the bounds of payloads; what is wrong is noted with its place.
pub(crate) fn read(text: &RawValue, pointer: &str, faults: &mut Faults) -> Option<Value> {
    let bytes = text.get().len();
    if bytes > PAYLOAD_BYTES_MAX {
        let detail = format!("has {bytes} bytes, at most {PAYLOAD_BYTES_MAX} are allowed");
        faults.push(Fault::at(pointer, detail));
        return None;
    }
    match payload::read(text.get().as_bytes()) {
        Ok(value) => bound(&value, pointer, faults).then_some(value),
        Err(error) => {
            faults.push(Fault::at(pointer, format!("cannot be read: {error}")));
            None
        }
    }
}

/// Says whether a payload that was read is nested within the bound; if not, notes it.
pub(crate) fn bound(value: &Value, pointer: &str, faults: &mut Faults) -> bool {
    if payload::holds_too_many(value) {
        let detail = format!(
            "holds more than {PAYLOAD_VALUES_MAX} values (an object counts as {OBJECT_VALUES})"
        );
        faults.push(Fault::at(pointer, detail));
        return false;
    }
    let within = depth(value) <= PAYLOAD_DEPTH_MAX;
    if !within {
        let detail = format!("is nested more than {PAYLOAD_DEPTH_MAX} levels deep");
        faults.push(Fault::at(pointer, detail));
    }
    within
}

/// Counts the levels of lists and objects. The reader has bounded them already.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn faults(text: String) -> Faults {
        let text = RawValue::from_string(text).unwrap();
        let mut faults = Faults::new();
        let value = read(&text, "/payload", &mut faults);
        assert_eq!(value.is_none(), !faults.is_empty());
        faults
    }

    fn nested(levels: usize) -> String {
        "[".repeat(levels) + &"]".repeat(levels)
    }

    #[test]
    fn what_every_reader_can_read_is_taken() {
        assert!(faults(r#"{"a": [1, 2.50, "\ud83e\udd86"]}"#.into()).is_empty());
        assert!(faults(nested(PAYLOAD_DEPTH_MAX)).is_empty());
    }

    #[test]
    fn what_would_stop_a_reader_is_refused_with_its_place() {
        for text in [
            nested(PAYLOAD_DEPTH_MAX + 1),
            nested(500),
            nested(20_000),
            format!("[{}1]", "1,".repeat(PAYLOAD_VALUES_MAX)),
            "1e99999999999".into(),
            r#""\ud800""#.into(),
        ] {
            let found = faults(text);
            assert_eq!(found[0].pointer.as_deref(), Some("/payload"));
        }
        let long = format!("{:?}", "x".repeat(PAYLOAD_BYTES_MAX));
        assert!(faults(long)[0].detail.contains("bytes"));
    }
}
