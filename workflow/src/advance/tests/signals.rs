//! Signals: awaited, early, too late and unheard.

use serde_json::json;

use super::driver::Driver;
use super::{task, wait, with};
use crate::RunStatus;

#[test]
fn a_signal_completes_the_step_that_waits_for_it() {
    let mut run = Driver::begun(json!([wait("w", "go", json!({})), task("b", json!({}))]));
    run.expect("waiting: w waiting, b pending");
    let blocked = run.run.blocked_on(&run.plan).unwrap();
    assert_eq!(
        (blocked.kind, blocked.detail.as_deref()),
        ("signal", Some("go"))
    );
    assert_eq!(blocked.until, None);
    run.crash();
    run.begin();
    run.signal("go", json!({ "ok": true }));
    run.expect("running: w completed, b running#1");
    assert_eq!(run.output("w"), json!({ "ok": true }));
    assert_eq!(run.store.records[2].actor.as_deref(), Some("tester"));
}

#[test]
fn an_early_signal_is_kept() {
    let mut run = Driver::begun(json!([task("a", json!({})), wait("w", "go", json!({}))]));
    run.signal("go", json!("early"));
    run.expect("running: a running#1, w pending");
    run.crash();
    run.begin();
    run.done("a");
    run.expect("completed: a completed, w completed");
    assert_eq!(run.output("w"), json!("early"));
}

#[test]
fn each_signal_goes_to_the_first_step_that_has_none() {
    let mut run = Driver::begun(json!([
        task("a", json!({})),
        wait("v", "go", json!({})),
        wait("w", "go", json!({})),
    ]));
    run.signal("go", json!(1));
    run.signal("go", json!(2));
    run.signal("go", json!(3));
    run.signal("stop", json!(4));
    run.done("a");
    assert_eq!((run.output("v"), run.output("w")), (json!(1), json!(2)));
    let ignored = |record: &String| *record == "signal.ignored";
    assert_eq!(run.audit().into_iter().filter(ignored).count(), 2);
}

#[test]
fn a_wait_that_lasts_too_long_times_out() {
    let config = json!({ "timeout_ms": 5000 });
    let mut run = Driver::begun(json!([wait("w", "go", config), task("b", json!({}))]));
    run.pass(4);
    run.expect("waiting: w waiting, b pending");
    run.pass(1);
    run.expect("failed: w timed_out, b skipped");
}

#[test]
fn a_wait_may_go_on_without_its_signal() {
    let config = json!({ "timeout_ms": 5000, "on_timeout": "continue" });
    let mut run = Driver::begun(json!([wait("w", "go", config), task("b", json!({}))]));
    run.pass(5);
    run.expect("running: w completed, b running#1");
    assert_eq!(run.output("w"), json!(null));
}

#[test]
fn an_early_signal_outlives_a_failed_generation() {
    let mut run = Driver::begun(json!([task("a", json!({})), wait("w", "go", json!({}))]));
    run.signal("go", json!("early"));
    run.breaks("a");
    run.expect("failed: a failed, w skipped");
    run.retry(None, false);
    run.done("a");
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.output("w"), json!("early"));
}

#[test]
fn the_items_of_a_map_may_wait() {
    let inner = json!({ "type": "wait", "config": { "signal": "go" } });
    let config = json!({ "items": "[1, 2, 3]", "step": inner, "max_parallel": 2 });
    let step = json!({ "name": "m", "type": "map" });
    let mut run = Driver::begun(json!([with(step, json!({ "config": config }))]));
    for n in 1..=3 {
        run.signal("go", json!(n));
    }
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.output("m"), json!([1, 2, 3]));
}
