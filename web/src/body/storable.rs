//! What PostgreSQL's text cannot hold: the character U+0000. A string with it would break every
//! statement that reads it as `jsonb`, so none is let in, whatever the door.

use serde_json::Value;

use super::parse::escape;
use crate::problem::Fault;

const DETAIL: &str = "contains the character U+0000, which cannot be stored";

/// Says what is wrong with a text that is to be stored.
pub(crate) fn fault(text: &str) -> Option<&'static str> {
    text.contains('\0').then_some(DETAIL)
}

/// Checks a text that stands at a pointer.
pub(crate) fn text(text: &str, at: &str, faults: &mut Vec<Fault>) {
    faults.extend(fault(text).map(|detail| Fault::at(at, detail)));
}

/// Checks every string of a JSON text. What is no JSON is for others to refuse.
pub(crate) fn json(bytes: &[u8], at: &str, faults: &mut Vec<Fault>) {
    const ESCAPE: &[u8] = br"\u0000";
    // Within JSON the character stands escaped or not at all, and is nearly always absent.
    if !bytes.windows(ESCAPE.len()).any(|window| window == ESCAPE) {
        return;
    }
    if let Ok(read) = serde_json::from_slice(bytes) {
        value(&read, at, faults);
    }
}

/// Checks every string of a JSON value, and the names of its fields.
pub(crate) fn value(value: &Value, at: &str, faults: &mut Vec<Fault>) {
    match value {
        Value::String(text) => self::text(text, at, faults),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                self::value(item, &format!("{at}/{index}"), faults);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                if fault(key).is_some() {
                    faults.push(Fault::at(at, DETAIL));
                } else {
                    self::value(field, &format!("{at}/{}", escape(key)), faults);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{Fault, json};

    fn places(text: &str) -> Vec<String> {
        let mut faults: Vec<Fault> = Vec::new();
        json(text.as_bytes(), "/input", &mut faults);
        faults.into_iter().filter_map(|f| f.pointer).collect()
    }

    #[test]
    fn nul_is_found_in_values_and_names_and_a_written_backslash_is_not() {
        assert_eq!(
            places(r#"{"a": ["", "\u0000"], "b\u0000": 1}"#),
            ["/input/a/1", "/input"]
        );
        assert_eq!(places(r#""\u0000""#), ["/input"]);
        assert!(places(r#"{"a": "\\u0000"}"#).is_empty());
        assert!(places(r#"{"a": "\u0000"#).is_empty());
    }
}
