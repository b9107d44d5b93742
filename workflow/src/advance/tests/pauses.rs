//! Pause and resume.

use serde_json::json;

use super::driver::Driver;
use super::{attempts, task, wait};
use crate::RunStatus;

#[test]
fn a_paused_run_starts_nothing_and_records_what_ends() {
    let mut run = Driver::begun(json!([task("a", json!({})), task("b", json!({}))]));
    run.pause();
    run.expect("paused: a running#1, b pending");
    run.done("a");
    run.expect("paused: a completed, b pending");
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "paused");
    assert_eq!(run.run.next_wake(), None);
    run.crash();
    run.begin();
    run.expect("paused: a completed, b pending");
    run.resume();
    run.expect("running: a completed, b running#1");
    let audit = run.audit();
    assert_eq!(
        audit[1..],
        ["run.paused", "step.completed a", "run.resumed"]
    );
}

#[test]
fn timers_do_not_fire_while_paused() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(3) }))]));
    run.trips("a");
    run.pause();
    run.pass(10);
    run.expect("paused: a waiting#1");
    run.resume();
    run.expect("running: a running#2");
}

#[test]
fn a_paused_run_takes_signals_and_may_be_cancelled() {
    let mut run = Driver::begun(json!([wait("w", "go", json!({})), task("b", json!({}))]));
    run.pause();
    run.signal("go", json!(1));
    run.expect("paused: w completed, b pending");
    run.cancel();
    run.expect("cancelled: w completed, b skipped");
}

#[test]
fn a_run_may_be_paused_before_it_begins() {
    let mut run = Driver::new(json!([task("a", json!({}))]));
    run.pause();
    run.begin();
    run.expect("paused: a pending");
    run.crash();
    run.resume();
    assert_eq!(run.run.status, RunStatus::Pending);
    run.begin();
    run.expect("running: a running#1");
}

#[test]
fn pausing_twice_is_pausing_once() {
    let mut run = Driver::begun(json!([task("a", json!({}))]));
    run.resume();
    run.pause();
    run.pause();
    assert_eq!(run.audit(), ["run.started", "run.paused"]);
}
