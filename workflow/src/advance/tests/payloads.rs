//! What a run makes itself has the limit of one payload.

use serde_json::{Value, json};

use super::driver::Driver;
use super::{task, transform, with};
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::{Outcome, RunStatus};

/// A text of a third of what fits.
fn third() -> String {
    "x".repeat(PAYLOAD_BYTES_MAX / 3)
}

/// Begins a run whose `input.text` is such a text.
fn begun(steps: Value, more: Value) -> Driver {
    let definition = with(json!({ "name": "tested", "steps": steps }), more);
    let mut run = Driver::of(definition, json!({ "text": third() }));
    run.begin();
    run
}

#[track_caller]
fn fails(run: &Driver, kind: &str, step: Option<&str>) {
    assert_eq!(run.run.status, RunStatus::Failed);
    let error = run.run.error.as_ref().unwrap();
    assert_eq!((error.kind.as_str(), error.step.as_deref()), (kind, step));
    let limit = PAYLOAD_BYTES_MAX.to_string();
    assert!(error.message.contains(&limit), "{}", error.message);
    assert!(!error.retryable);
}

fn four() -> Value {
    json!(vec!["${input.text}"; 4])
}

#[test]
fn an_output_may_not_be_larger() {
    let run = begun(
        json!([transform("a", json!(vec!["${input.text}"; 2]))]),
        json!({}),
    );
    assert_eq!(run.run.status, RunStatus::Completed);
    let run = begun(json!([transform("a", four())]), json!({}));
    fails(&run, "output_too_large", Some("a"));
    assert_eq!(run.run.steps[0].output, None);
    let mut run = begun(json!([task("a", json!({}))]), json!({}));
    run.end(
        "a",
        Outcome::Completed(json!([third(), third(), third(), 1])),
    );
    fails(&run, "output_too_large", Some("a"));
}

#[test]
fn a_step_obeys_its_on_error_with_that_as_well() {
    let a = with(transform("a", four()), json!({ "on_error": "continue" }));
    let b = transform("b", json!("${steps.a.error.type}"));
    let run = begun(json!([a, b]), json!({}));
    assert_eq!(run.output("b"), json!("output_too_large"));
}

#[test]
fn the_output_of_a_run_may_not_be_larger() {
    let run = begun(
        json!([transform("a", json!(1))]),
        json!({ "output": four() }),
    );
    fails(&run, "output_too_large", None);
    assert_eq!(run.run.output, None);
}

#[test]
fn an_input_may_not_be_larger() {
    let of = |kind: &str, config: Value| json!([{ "name": "a", "type": kind, "config": config }]);
    for steps in [
        of("task", json!({ "task": "work", "input": four() })),
        of("agent", json!({ "agent": "scorer", "input": four() })),
        of(
            "http",
            json!({ "url": "http://example.com", "body": four() }),
        ),
        of("workflow", json!({ "workflow": "other", "input": four() })),
    ] {
        let run = begun(steps, json!({}));
        fails(&run, "input_too_large", Some("a"));
        assert!(run.started.is_empty() && run.store.children.is_empty());
    }
}

fn map(items: &str, value: Value) -> Value {
    let inner = json!({ "type": "transform", "config": { "value": value } });
    json!({ "name": "m", "type": "map", "config": { "items": items, "step": inner } })
}

#[test]
fn the_list_of_a_map_may_not_be_larger() {
    let run = begun(
        json!([map("[1, 2, 3, 4].map(n, input.text)", json!(1))]),
        json!({}),
    );
    fails(&run, "input_too_large", Some("m"));
    assert_eq!(run.run.steps[0].items.len(), 0);
}

#[test]
fn a_map_ends_as_soon_as_its_list_is_too_large() {
    let call = json!({ "type": "task", "config": { "task": "work", "input": 1 } });
    let config = json!({ "items": "[1, 2, 3, 4, 5]", "step": call, "max_parallel": 2 });
    let mut run = begun(
        json!([{ "name": "m", "type": "map", "config": config }]),
        json!({}),
    );
    let large = || Outcome::Completed(json!(third()));
    run.end("m[0]", large());
    run.end("m[1]", large());
    run.crash();
    run.begin();
    run.end("m[3]", large());
    run.expect("failed: m failed");
    fails(&run, "output_too_large", Some("m"));
    assert_eq!(run.aborted, ["m[2]"]);
    assert!(!run.has_row("m[4]"), "what changes nothing is not begun");
    // What made it too large is kept, so it is too large again.
    run.retry(None, false);
    fails(&run, "output_too_large", Some("m"));
}

#[test]
fn what_stands_between_the_items_counts() {
    // So many that the items alone fit, and the list does not.
    let length = 4_096;
    let text = "x".repeat(PAYLOAD_BYTES_MAX / length - 2);
    let mut items: Vec<Value> = vec![json!(1); length];
    let check = |items: &[Value]| {
        let definition =
            json!({ "name": "tested", "steps": [map("input.items", json!("${input.text}"))] });
        let mut run = Driver::of(definition, json!({ "text": text, "items": items }));
        run.begin();
        run
    };
    fails(&check(&items), "output_too_large", Some("m"));
    items.truncate(length - 8);
    assert_eq!(check(&items).run.status, RunStatus::Completed);
}
