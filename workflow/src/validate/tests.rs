//! Documents and what is found in them.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a failed unwrap is a failed test, and tables of cases read better by value"
)]

mod any;
mod config;
mod order;
mod schema;
mod shape;
mod undoing;

use serde_json::{Value, json};

use super::{Finding, validate};

/// A step that may be in any place.
fn step(name: &str) -> Value {
    json!({"name": name, "type": "transform", "config": {"value": 1}})
}

/// A workflow of these steps.
fn of(steps: Value) -> Value {
    json!({"name": "w", "steps": steps})
}

/// A workflow of one step with this type and config.
fn with(kind: &str, config: Value) -> Value {
    of(json!([{"name": "a", "type": kind, "config": config}]))
}

fn findings(document: &Value) -> Vec<Finding> {
    validate(document)
        .err()
        .map_or_else(Vec::new, |findings| findings.0.into_iter().collect())
}

/// Checks the findings: `400` or `422`, the pointer, and a part of the sentence, in any order.
#[track_caller]
fn check(document: Value, expected: &[(u16, &str, &str)]) {
    let mut found = findings(&document);
    let all = format!("{found:#?}");
    for (status, pointer, part) in expected {
        let at = found.iter().position(|finding| {
            finding.malformed == (*status == 400)
                && finding.pointer == *pointer
                && finding.detail.contains(part)
        });
        match at {
            Some(at) => found.remove(at),
            None => panic!("no {status} at {pointer} about {part} in {all}"),
        };
    }
    assert!(found.is_empty(), "more than expected: {found:#?}");
}
