//! Attempts that fail: tried again, given up, and what that does to the run.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::deeds::failed;
use super::driver::Driver;
use super::{attempts, task, with};
use crate::retry::RetryPolicy;
use crate::{Event, Failure, Outcome, RunStatus};

#[test]
fn a_failed_attempt_is_made_again_after_a_while() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(3) }))]));
    run.trips("a");
    run.expect("waiting: a waiting#1");
    let blocked = run.run.blocked_on(&run.plan).unwrap();
    assert_eq!(
        (blocked.kind, blocked.until),
        ("retry", run.run.next_wake())
    );
    run.pass(1);
    run.expect("running: a running#2");
    run.done("a");
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.run.steps[0].error, None);
    let audit = [
        "run.started",
        "step.retrying a",
        "step.completed a",
        "run.completed",
    ];
    assert_eq!(run.audit(), audit);
}

#[test]
fn attempts_are_made_up_to_their_number() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(2) }))]));
    run.trips("a");
    run.pass(1);
    run.trips("a");
    run.expect("failed: a failed");
    assert_eq!(
        run.audit()[1..],
        ["step.retrying a", "step.failed a", "run.failed"]
    );
}

#[test]
fn what_cannot_be_mended_is_not_tried_again() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(3) }))]));
    run.breaks("a");
    run.expect("failed: a failed");
    let error = run.run.error.as_ref().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.step.as_deref()),
        ("task_error", Some("a"))
    );
}

#[test]
fn the_agent_may_ask_for_more_time() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(3) }))]));
    let outcome = Outcome::Failed {
        failure: Failure::retryable("http_status", "busy"),
        status: Some(503),
        retry_after: Some(Duration::from_secs(30)),
    };
    run.end("a", outcome);
    run.pass(29);
    run.expect("waiting: a waiting#1");
    run.pass(1);
    run.expect("running: a running#2");
}

fn agent(more: serde_json::Value) -> serde_json::Value {
    let step = json!({ "name": "a", "type": "agent", "config": { "agent": "scorer", "input": 1 } });
    json!([with(step, more)])
}

fn policy(max_attempts: u32) -> Option<Arc<RetryPolicy>> {
    Some(Arc::new(RetryPolicy {
        max_attempts,
        initial_interval_ms: 1000,
        ..RetryPolicy::default()
    }))
}

fn oops() -> Outcome {
    failed(Failure::retryable("agent_error", "oops"))
}

#[test]
fn the_agents_policy_counts_where_the_step_has_none() {
    let mut run = Driver::begun(agent(json!({})));
    run.end_at("a", policy(1), oops());
    assert_eq!(run.run.status, RunStatus::Failed);
    let mut run = Driver::begun(agent(json!({ "retry": attempts(3) })));
    run.end_at("a", policy(1), oops());
    assert_eq!(run.run.status, RunStatus::Waiting);
}

#[test]
fn the_attempts_of_the_policy_in_force_are_shown() {
    let check = |run: &Driver, expected| {
        let row = run.run.snapshot(&run.plan, run.key("a"));
        assert_eq!(row.max_attempts, expected);
    };
    let mut run = Driver::begun(agent(json!({})));
    run.end_at("a", policy(7), Outcome::Completed(json!(1)));
    check(&run, 7);
    let mut run = Driver::begun(agent(json!({ "retry": attempts(2) })));
    run.end_at("a", policy(7), Outcome::Completed(json!(1)));
    check(&run, 2);

    let linger = |run: &mut Driver, agent_policy| {
        let key = run.key("a");
        run.feed(Event::Linger { key, agent_policy });
    };
    let mut run = Driver::begun(agent(json!({})));
    linger(&mut run, policy(7));
    check(&run, 7);
    run.crash();
    check(&run, 7);
    run.begin();
    check(&run, 7);
    run.end_at("a", policy(1), oops());
    check(&run, 1);
    run.retry(None, false);
    check(&run, 1);

    // Its start is stored before the policy is known.
    let mut run = Driver::begun(agent(json!({})));
    check(&run, 3);
    linger(&mut run, policy(7));
    run.crash();
    check(&run, 7);
}

#[test]
fn at_most_once_is_one_attempt_unless_the_step_says_otherwise() {
    let mut run = Driver::begun(agent(json!({ "delivery": "at_most_once" })));
    run.end_at("a", policy(7), oops());
    run.expect("failed: a failed");
    let own = json!({ "delivery": "at_most_once", "retry": attempts(2) });
    let mut run = Driver::begun(agent(own));
    run.end_at("a", policy(7), oops());
    run.expect("waiting: a waiting#1");
}

#[test]
fn a_timeout_is_tried_again_and_then_stays_one() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(2) }))]));
    run.times_out("a");
    run.expect("waiting: a waiting#1");
    run.pass(1);
    run.times_out("a");
    run.expect("failed: a timed_out");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "timeout");
}

#[test]
fn an_outcome_of_another_attempt_decides_nothing() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(3) }))]));
    run.trips("a");
    for attempt in [1, 2] {
        run.feed(Event::Outcome {
            key: run.key("a"),
            attempt,
            agent_policy: None,
            outcome: Outcome::Completed(json!(1)),
        });
        run.expect("waiting: a waiting#1");
        assert!(run.last.records.is_empty() && !run.last.commit_first);
    }
}

#[test]
fn a_failure_ends_the_run_at_once() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "needs": [] })),
        task("b", json!({ "needs": [] })),
        task("c", json!({ "needs": [], "retry": attempts(3) })),
        task("d", json!({ "needs": ["a"] })),
    ]));
    run.trips("c");
    run.breaks("a");
    run.expect("failed: a failed, b cancelled, c cancelled, d skipped");
    assert_eq!(run.aborted, ["b"]);
    assert_eq!(
        run.audit().last().unwrap(),
        "run.failed",
        "the run's end comes last"
    );
    assert!(run.has_row("b") && run.has_row("d"));
}

#[test]
fn a_run_may_go_on_without_a_step() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "on_error": "continue" })),
        task("b", json!({})),
    ]));
    run.breaks("a");
    run.expect("running: a failed, b running#1");
    run.done("b");
    assert_eq!(run.run.status, RunStatus::Completed);
}

#[test]
fn a_run_may_complete_without_the_rest() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "needs": [] })),
        task("b", json!({ "needs": [], "on_error": "skip_rest" })),
        task("c", json!({ "needs": [] })),
        task("d", json!({ "needs": ["b"] })),
    ]));
    run.done("a");
    run.breaks("b");
    run.expect("completed: a completed, b failed, c cancelled, d skipped");
    assert_eq!(run.run.output.as_deref(), Some(&json!("a done")));
    assert_eq!(run.run.error, None);
}

#[test]
fn backoffs_differ_from_run_to_run_but_not_from_time_to_time() {
    let policy = json!({ "max_attempts": 3, "initial_interval_ms": 60_000, "jitter": 1.0 });
    let wake = |id: u128| {
        let mut run = Driver::new(json!([task("a", json!({ "retry": policy }))]));
        run.run.header.id = uuid::Uuid::from_u128(id);
        run.begin();
        run.end("a", failed(Failure::retryable("connect", "refused")));
        run.run.next_wake()
    };
    assert_eq!(wake(1), wake(1));
    assert_ne!(wake(1), wake(2));
}
