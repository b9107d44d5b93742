//! Runs made by hand: a model driver with a store that keeps only what was committed.
#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a test that meets the unexpected should stop, and reads better with values"
)]

mod allowances;
mod asking;
mod beginnings;
mod cancels;
mod checks;
mod children;
mod deeds;
mod detaches;
mod driver;
mod elsewhere;
mod failures;
mod given_back;
mod inputs;
mod interleavings;
mod maps;
mod pauses;
mod payloads;
mod retries;
mod signals;
mod store;
mod timers;
mod undoing;

use serde_json::{Value, json};

/// A step that a worker makes.
fn task(name: &str, more: Value) -> Value {
    with(
        json!({ "name": name, "type": "task", "config": { "task": "work", "input": { "of": name } } }),
        more,
    )
}

fn wait(name: &str, signal: &str, config: Value) -> Value {
    let config = with(json!({ "signal": signal }), config);
    json!({ "name": name, "type": "wait", "config": config })
}

fn transform(name: &str, value: Value) -> Value {
    json!({ "name": name, "type": "transform", "config": { "value": value } })
}

/// Adds fields to an object.
fn with(mut object: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        object[name] = value.clone();
    }
    object
}

/// So many attempts, a second apart.
fn attempts(max: u32) -> Value {
    json!({ "max_attempts": max, "initial_interval_ms": 1000, "backoff_coefficient": 1.0, "jitter": 0.0 })
}
