//! Cancel: before, during and after.

use serde_json::json;

use super::driver::Driver;
use super::{task, wait};
use crate::RunStatus;

#[test]
fn a_cancelled_run_ends_at_once() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "needs": [] })),
        wait("w", "go", json!({})),
        task("b", json!({ "needs": ["a"] })),
    ]));
    run.cancel();
    run.expect("cancelled: a cancelled, w skipped, b skipped");
    assert_eq!(run.aborted, ["a"]);
    assert_eq!(run.run.cancelled_by.as_deref(), Some("tester"));
    assert_eq!(run.run.cancel_reason.as_deref(), Some("enough"));
    let last = run.store.records.last().unwrap();
    assert_eq!(last.action, "run.cancelled");
    assert_eq!(last.actor.as_deref(), Some("tester"));
    assert_eq!(last.request_id.as_deref(), Some("r1"));
}

#[test]
fn a_run_may_be_cancelled_before_it_begins() {
    let mut run = Driver::new(json!([task("a", json!({}))]));
    run.cancel();
    run.expect("cancelled: a skipped");
    run.begin();
    run.expect("cancelled: a skipped");
    assert!(run.started.is_empty());
}

#[test]
fn a_finished_run_is_not_cancelled() {
    let mut run = Driver::begun(json!([task("a", json!({}))]));
    run.done("a");
    run.cancel();
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.audit().last().unwrap(), "run.completed");
}
