//! The definition of a workflow as clients write it and the database keeps it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::retry::RetryPolicy;

/// Fields that say what a workflow is called, not what its runs do.
const TITLES: [&str; 3] = ["name", "description", "labels"];

/// A workflow as clients write it, without what identifies it in the store (`id`, status, version).
///
/// It is only ever made of a document that [`crate::validate`] found sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub description: Option<String>,
    pub steps: Vec<StepDefinition>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub input_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub output: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub max_parallel: Option<usize>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub on_failure: Vec<StepDefinition>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub concurrency: Option<ConcurrencyDefinition>,
}

/// One step as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepDefinition {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub config: Value,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub needs: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sequence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub execution_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub when: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub compensate: Option<CompensationDefinition>,
}

/// What undoes a step, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompensationDefinition {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Value::is_null", default)]
    pub config: Value,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry: Option<RetryPolicy>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub delivery: Option<String>,
}

/// How many runs with the same key there may be at once, as written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyDefinition {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<String>,
    pub limit: u32,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub on_limit: Option<String>,
}

impl Definition {
    /// Returns the SHA-256 (lower-case hex) of the canonical JSON (RFC 8785 key order) of what
    /// decides how runs behave: all but name, description and labels. Equal hashes mean equal
    /// versions.
    #[must_use]
    pub fn content_hash(&self) -> String {
        let mut document = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = document.as_object_mut() {
            fields.retain(|field, _| !TITLES.contains(&field.as_str()));
        }
        let mut canonical = String::new();
        write_canonical(&document, &mut canonical);
        let mut hash = String::with_capacity(64);
        for byte in Sha256::digest(canonical.as_bytes()) {
            // Writing into a string cannot fail.
            let _ = write!(hash, "{byte:02x}");
        }
        hash
    }
}

/// Writes JSON without spaces, the keys in the order of their UTF-16 code units. The order of a
/// `serde_json::Map` depends on features that any dependency may switch.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(&Value::String(key.clone()), out);
                out.push(':');
                write_canonical(value, out);
            }
            out.push('}');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::needless_pass_by_value,
        reason = "a failed unwrap is a failed test, and tables of cases read better by value"
    )]

    use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
    use serde_json::{Value, json};

    use super::{Definition, write_canonical};

    fn canonical(value: &Value) -> String {
        let mut out = String::new();
        write_canonical(value, &mut out);
        out
    }

    fn definition(document: Value) -> Definition {
        serde_json::from_value(document).unwrap()
    }

    #[test]
    fn keys_are_sorted_by_utf_16() {
        let check = |text: &str, expected: &str| {
            assert_eq!(canonical(&serde_json::from_str(text).unwrap()), expected);
        };
        check(
            r#"{ "b": [1, 2.0, null], "a": {"d": "\n", "c": true} }"#,
            r#"{"a":{"c":true,"d":"\n"},"b":[1,2.0,null]}"#,
        );
        // Outside the first plane: first by UTF-16, last by code point.
        check(
            "{\"\u{e000}\":1,\"\u{1f600}\":2}",
            "{\"\u{1f600}\":2,\"\u{e000}\":1}",
        );
    }

    #[test]
    fn the_hash_is_of_what_runs_do() {
        let base = json!({"name": "a", "steps": [{"name": "s", "type": "transform",
            "config": {"value": {"x": 1, "y": 2}}}]});
        let hash = |change: &dyn Fn(&mut Value)| {
            let mut document = base.clone();
            change(&mut document);
            definition(document).content_hash()
        };
        let same = hash(&|_| {});
        assert_eq!(same.len(), 64);
        assert_eq!(hash(&|d| d["name"] = json!("b")), same);
        assert_eq!(hash(&|d| d["labels"] = json!({"team": "x"})), same);
        assert_ne!(hash(&|d| d["timeout_ms"] = json!(5)), same);
        assert_ne!(
            hash(&|d| d["steps"][0]["config"]["value"]["x"] = json!(2)),
            same
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,3}", inner), 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn canonical_json_is_independent_of_key_order(
            fields in prop::collection::btree_map(".{0,3}", value(), 0..6)
        ) {
            let text = |pairs: Vec<(&String, &Value)>| {
                let pairs: Vec<String> = pairs
                    .into_iter()
                    .map(|(k, v)| format!("{}: {v}", json!(k)))
                    .collect();
                format!("{{ {} }}", pairs.join(" , "))
            };
            let forward = text(fields.iter().collect());
            let backward = text(fields.iter().rev().collect());
            let read = |text: &str| canonical(&serde_json::from_str(text).unwrap());
            assert_eq!(read(&forward), read(&backward));
            // It is still the same JSON.
            let again: Value = serde_json::from_str(&read(&forward)).unwrap();
            assert_eq!(again, json!(fields));
        }
    }
}
