//! Attempts that a stopping worker gives back.

use serde_json::json;

use super::driver::Driver;
use super::{attempts, task, with};
use crate::{Event, RunStatus};

#[test]
fn given_back_attempts_do_not_count() {
    let mut run = Driver::begun(json!([
        task(
            "a",
            with(json!({ "needs": [] }), json!({ "retry": attempts(2) }))
        ),
        task("b", json!({ "needs": [] })),
    ]));
    run.trips("a");
    run.pass(1);
    run.let_go();
    run.begin();
    run.expect("running: a running#2, b running#1");
    run.trips("a");
    run.expect("failed: a failed, b cancelled");
}

#[test]
fn what_is_given_back_is_written_down() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(2) }))]));
    run.trips("a");
    run.pass(1);
    run.let_go();
    let audit = ["run.started", "step.retrying a", "step.given_back a"];
    assert_eq!(run.audit(), audit);
    let record = run.store.records.last().unwrap();
    assert_eq!(
        (record.before, record.after),
        (Some("running"), Some("pending"))
    );
    assert_eq!(record.detail.as_ref().unwrap()["attempt"], 2);
    assert_eq!(
        record.actor, None,
        "it is the driver's own doing, so its worker is named"
    );
    run.begin();
    run.done("a");
    assert_eq!(run.run.status, RunStatus::Completed);
}

#[test]
fn what_is_given_back_may_not_run_twice_if_it_may_run_once() {
    let once = json!({ "delivery": "at_most_once" });
    let mut run = Driver::begun(json!([task("a", once)]));
    run.let_go();
    assert_eq!(run.store.header.status, RunStatus::Failed);
}

/// Decides the first attempt of `a`, and gives it back before it is made.
fn never_made(more: serde_json::Value) -> Driver {
    let mut run = Driver::new(json!([task("a", more)]));
    let plan = std::sync::Arc::clone(&run.plan);
    let decision = run.run.advance(&plan, Event::Begin { deaths: 0 }, run.now);
    run.store
        .commit(&plan, &run.run, &decision.touched, decision.records);
    run.run.mark_stored(&decision.touched);
    run.run.draining = true;
    let key = run.key("a");
    run.feed(Event::GivenBack { key, begun: false });
    run
}

#[test]
fn what_was_never_made_never_was() {
    let run = never_made(json!({}));
    run.expect("running: a pending");
    assert_eq!(run.audit(), ["run.started"]);
    assert!(!run.has_row("a"));
}

#[test]
fn what_was_never_made_is_not_lost() {
    let mut run = never_made(json!({ "delivery": "at_most_once" }));
    run.expect("running: a pending");
    assert_eq!(
        run.audit(),
        ["run.started", "step.started a", "step.given_back a"]
    );
    run.let_go();
    run.begin();
    run.expect("running: a running#1");
    assert_eq!(run.started, ["a#1"]);
}
