//! Retry: the next generation of a run that failed.

use serde_json::json;

use super::driver::Driver;
use super::{task, with};
use crate::{Event, RunStatus, StepStatus};

fn three() -> Driver {
    Driver::begun(json!([
        task("a", json!({})),
        task("b", json!({})),
        task("c", json!({})),
    ]))
}

#[test]
fn a_retry_goes_on_from_what_failed() {
    let mut run = three();
    run.done("a");
    run.breaks("b");
    run.retry(None, false);
    run.expect("running: a completed, b running#1, c pending");
    assert_eq!(run.run.steps[0].generation, 1);
    assert_eq!(run.run.steps[1].generation, 2);
    let failed = &run.store.rows[&(run.key("b"), 1)];
    assert_eq!(
        failed.status,
        StepStatus::Failed,
        "the failed generation stays readable"
    );
    run.done("b");
    run.done("c");
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.started, ["a#1", "b#1", "b#1", "c#1"]);
    assert!(run.audit().contains(&"run.retried".to_owned()));
}

#[test]
fn a_retry_may_go_back_to_a_completed_step() {
    let mut run = three();
    run.done("a");
    run.done("b");
    run.breaks("c");
    run.retry(Some("b"), false);
    run.expect("running: a completed, b running#1, c pending");
}

#[test]
fn a_retry_may_start_all_over() {
    let mut run = three();
    run.done("a");
    run.breaks("b");
    run.retry(None, true);
    run.expect("running: a running#1, b pending, c pending");
}

#[test]
fn a_branch_that_did_not_fail_is_not_run_again() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "needs": [] })),
        task("b", json!({ "needs": [] })),
        task("c", json!({ "needs": ["a", "b"] })),
    ]));
    run.done("a");
    run.breaks("b");
    run.retry(Some("b"), false);
    run.expect("running: a completed, b running#1, c pending");
}

#[test]
fn a_cancelled_run_may_be_retried() {
    let mut run = three();
    run.done("a");
    run.cancel();
    run.expect("cancelled: a completed, b cancelled, c skipped");
    run.retry(None, false);
    run.expect("running: a completed, b running#1, c pending");
}

#[test]
fn a_failure_that_was_passed_over_is_tried_again_too() {
    let on = json!({ "on_error": "continue" });
    let mut run = Driver::begun(json!([
        task("a", on.clone()),
        task("b", with(json!({}), json!({}))),
        task("c", json!({})),
    ]));
    run.breaks("a");
    run.done("b");
    run.breaks("c");
    run.retry(None, false);
    run.expect("running: a running#1, b completed, c running#1");
}

#[test]
fn a_run_under_way_is_not_retried() {
    let mut run = three();
    run.feed(Event::Retry {
        from_step: None,
        reset: true,
    });
    run.expect("running: a running#1, b pending, c pending");
    assert_eq!(run.audit(), ["run.started"]);
}

#[test]
fn a_retried_map_that_does_not_begin_leaves_no_item_open() {
    let inner = json!({ "type": "task", "config": { "task": "work", "input": 1 } });
    let config = json!({ "items": "[1, 2]", "step": inner });
    let mut run = Driver::begun(json!([
        task("a", json!({ "on_error": "continue" })),
        { "name": "m", "type": "map", "config": config },
    ]));
    run.breaks("a");
    run.breaks("m[0]");
    run.retry(None, false);
    assert_eq!(run.run.status, RunStatus::Running);
    run.cancel();
    let rows = run.store.newest();
    assert!(rows.iter().all(|row| row.status.is_terminal()), "{rows:?}");
}
