//! An input that nobody has checked is checked before anything begins.

use serde_json::{Value, json};

use super::driver::Driver;
use super::transform;
use crate::{Event, RunStatus};

fn with_input(input: Value) -> Driver {
    let definition = json!({
        "name": "tested",
        "input_schema": {"type": "object", "additionalProperties": {"type": "integer"}},
        "steps": [transform("a", json!(1))],
    });
    let mut run = Driver::of(definition, input);
    run.feed(Event::Check);
    run
}

#[test]
fn an_input_that_fits_changes_nothing() {
    let mut run = with_input(json!({ "n": 1 }));
    run.expect("pending: a pending");
    assert!(run.audit().is_empty());
    run.begin();
    run.expect("completed: a completed");
}

#[test]
fn an_input_that_does_not_fit_ends_the_run_before_it_begins() {
    let mut run = with_input(json!({ "a": "x", "b": "x", "c": "x", "d": "x" }));
    run.expect("failed: a skipped");
    let error = run.run.error.clone().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.retryable, error.step),
        ("input_invalid", false, None)
    );
    assert!(
        error.message.contains("at /input/a: ") && error.message.contains("and 1 more"),
        "{}",
        error.message
    );
    assert_eq!(run.run.header.started_at, None);
    run.begin();
    assert_eq!(run.audit(), ["step.skipped a", "run.failed"]);
    // Its next generation has the same input.
    run.retry(None, true);
    assert_eq!(run.run.status, RunStatus::Failed);
}

#[test]
fn a_run_that_has_begun_is_past_its_check() {
    let mut run = Driver::of(
        json!({
            "name": "tested", "input_schema": {"type": "object"},
            "steps": [{"name": "w", "type": "wait", "config": {"signal": "go"}}],
        }),
        json!([]),
    );
    run.begin();
    run.feed(Event::Check);
    run.expect("waiting: w waiting");
}
