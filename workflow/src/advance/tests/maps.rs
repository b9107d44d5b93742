//! Maps: lanes, failures, order, and ten thousand items.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::driver::Driver;
use super::{attempts, task, with};
use crate::limits::MAP_ITEMS_MAX;
use crate::{Event, Outcome, RunStatus, StepKey};

fn inner() -> Value {
    json!({ "type": "task", "config": { "task": "work", "input": "${item}" } })
}

fn map_over(list: Value, step: Value, config: Value) -> Driver {
    let config = with(json!({ "items": "input.list", "step": step }), config);
    let map = json!({ "name": "m", "type": "map", "config": config });
    let steps = json!([map, task("after", json!({}))]);
    let definition = json!({ "name": "tested", "steps": steps });
    let mut run = Driver::of(definition, json!({ "list": list }));
    run.begin();
    run
}

#[test]
fn items_run_so_many_at_once_and_come_out_in_order() {
    let mut run = map_over(json!([1, 2, 3]), inner(), json!({ "max_parallel": 2 }));
    assert_eq!(run.started, ["m[0]#1", "m[1]#1"]);
    assert!(run.has_row("m") && !run.has_row("m[0]"));
    run.done("m[1]");
    assert_eq!(run.started.last().unwrap(), "m[2]#1");
    run.done("m[2]");
    run.done("m[0]");
    run.expect("running: m completed, after running#1");
    assert_eq!(
        run.output("m"),
        json!(["m[0] done", "m[1] done", "m[2] done"])
    );
    let audit = [
        "run.started",
        "step.started m",
        "step.completed m[1]",
        "step.completed m[2]",
        "step.completed m[0]",
        "step.completed m",
    ];
    assert_eq!(run.audit(), audit);
}

#[test]
fn after_a_crash_only_unfinished_items_run_again() {
    let mut run = map_over(json!([1, 2, 3, 4]), inner(), json!({ "max_parallel": 2 }));
    run.done("m[0]");
    run.crash();
    run.begin();
    assert_eq!(
        run.started,
        ["m[0]#1", "m[1]#1", "m[2]#1", "m[1]#1", "m[2]#1"]
    );
}

#[test]
fn a_list_may_be_empty_and_must_be_a_list_of_bounded_length() {
    let run = map_over(json!([]), inner(), json!({}));
    assert_eq!(run.output("m"), json!([]));
    let run = map_over(json!("no list"), inner(), json!({}));
    assert_eq!(run.run.error.as_ref().unwrap().kind, "expression");
    let run = map_over(json!(vec![0; MAP_ITEMS_MAX + 1]), inner(), json!({}));
    assert_eq!(run.run.error.as_ref().unwrap().kind, "too_many_items");
}

#[test]
fn one_failure_too_many_ends_the_map() {
    let config = json!({ "max_parallel": 3, "tolerated_failures": 1 });
    let mut run = map_over(json!([1, 2, 3, 4, 5]), inner(), config);
    run.breaks("m[1]");
    run.expect("running: m running, after pending");
    run.breaks("m[0]");
    run.expect("failed: m failed, after skipped");
    assert_eq!(run.aborted, ["m[2]", "m[3]"]);
    assert_eq!(
        run.run.error.as_ref().unwrap().step.as_deref(),
        Some("m[0]")
    );
    assert!(!run.has_row("m[4]"), "what never began leaves no row");
}

#[test]
fn a_tolerated_failure_is_null() {
    let mut run = map_over(json!([1, 2]), inner(), json!({ "tolerated_failures": 1 }));
    run.breaks("m[0]");
    run.done("m[1]");
    assert_eq!(run.output("m"), json!([null, "m[1] done"]));
}

#[test]
fn a_backoff_leaves_its_place_to_others() {
    let step = with(inner(), json!({ "retry": attempts(3) }));
    let mut run = map_over(json!([1, 2, 3]), step, json!({ "max_parallel": 1 }));
    run.trips("m[0]");
    assert_eq!(run.started.last().unwrap(), "m[1]#1");
    run.pass(1);
    assert_eq!(run.run.in_flight(), 1);
    run.crash();
    run.begin();
    run.done("m[0]");
    run.done("m[1]");
    run.done("m[2]");
    run.expect("running: m completed, after running#1");
}

#[test]
fn a_retried_map_keeps_its_completed_items() {
    let mut run = map_over(json!([1, 2, 3]), inner(), json!({ "max_parallel": 2 }));
    run.done("m[0]");
    run.breaks("m[1]");
    run.retry(None, false);
    run.crash();
    run.begin();
    assert_eq!(run.started[3..], ["m[1]#1", "m[2]#1", "m[1]#1", "m[2]#1"]);
    run.done("m[1]");
    run.done("m[2]");
    assert_eq!(
        run.output("m"),
        json!(["m[0] done", "m[1] done", "m[2] done"])
    );
}

#[test]
fn a_map_that_runs_anew_forgets_its_items() {
    let mut run = map_over(json!([1, 2]), inner(), json!({}));
    run.done("m[0]");
    run.done("m[1]");
    run.breaks("after");
    run.retry(Some("m"), false);
    run.crash();
    run.begin();
    assert_eq!(run.calls.len(), 2);
    run.done("m[1]");
    run.crash();
    run.begin();
    assert_eq!(
        run.calls.len(),
        1,
        "rows of the first generation do not count"
    );
}

#[test]
fn pure_items_are_decided_in_parts() {
    let step = json!({ "type": "transform", "config": { "value": "${item * 2}" } });
    let list: Vec<_> = (0..1000).collect();
    let run = map_over(json!(list), step, json!({}));
    assert_eq!(run.output("m")[999], json!(1998));
}

#[test]
fn ten_thousand_items_cost_no_more_each_than_ten() {
    let list: Vec<_> = (0..MAP_ITEMS_MAX).collect();
    let mut run = map_over(json!(list), inner(), json!({ "max_parallel": 50 }));
    let plan = std::sync::Arc::clone(&run.plan);
    let state = &mut run.run;
    let begun = Instant::now();
    for i in 0..u32::try_from(MAP_ITEMS_MAX).unwrap() {
        let key = StepKey::item(0, i);
        let outcome = Outcome::Completed(json!(i));
        let event = Event::Outcome {
            key,
            attempt: 1,
            agent_policy: None,
            outcome,
        };
        let decision = state.advance(&plan, event, run.now);
        assert!(decision.touched.len() <= 2);
        assert!(state.next_wake().is_none());
    }
    assert_eq!(state.status, RunStatus::Running);
    assert_eq!(
        state.steps[0].output.as_deref().unwrap()[9_999],
        json!(9_999)
    );
    // Generous for a loaded machine and no optimisation; quadratic work takes far longer.
    assert!(begun.elapsed() < Duration::from_secs(5));
}
