//! Begin: the first time, after a crash, and for the last time.

use serde_json::json;

use super::driver::Driver;
use super::{attempts, task, transform, wait};
use crate::limits::DEATHS_MAX;
use crate::{Event, RunStatus};

#[test]
fn a_sequence_runs_to_its_end() {
    let mut run = Driver::begun(json!([task("a", json!({})), task("b", json!({}))]));
    run.expect("running: a running#1, b pending");
    assert!(
        !run.last.commit_first,
        "a plain start need not wait for a commit"
    );
    assert!(!run.has_row("a"));
    run.done("a");
    run.expect("running: a completed, b running#1");
    run.done("b");
    run.expect("completed: a completed, b completed");
    assert_eq!(run.run.output.as_deref(), Some(&json!("b done")));
    let audit = [
        "run.started",
        "step.completed a",
        "step.completed b",
        "run.completed",
    ];
    assert_eq!(run.audit(), audit);
}

#[test]
fn a_join_waits_for_all_it_needs() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "needs": [] })),
        task("b", json!({ "needs": [] })),
        task("c", json!({ "needs": ["a", "b"] })),
    ]));
    run.expect("running: a running#1, b running#1, c pending");
    run.done("b");
    run.expect("running: a running#1, b completed, c pending");
    run.done("a");
    run.expect("running: a completed, b completed, c running#1");
}

#[test]
fn no_more_attempts_fly_than_the_run_allows() {
    let steps: Vec<_> = ["a", "b", "c"]
        .map(|n| task(n, json!({ "needs": [] })))
        .into();
    let definition = json!({ "name": "tested", "steps": steps, "max_parallel": 2 });
    let mut run = Driver::of(definition, json!({}));
    run.begin();
    run.expect("running: a running#1, b running#1, c pending");
    run.done("b");
    run.expect("running: a running#1, b completed, c running#1");
}

#[test]
fn a_step_whose_condition_does_not_hold_is_skipped() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "when": "1 > 2" })),
        task("b", json!({ "when": "2 > 1" })),
    ]));
    run.expect("running: a skipped, b running#1");
    run.done("b");
    assert_eq!(run.run.status, RunStatus::Completed);
}

#[test]
fn pure_steps_need_no_worker() {
    let definition = json!({
        "name": "tested",
        "output": { "grade": "${steps.grade.output.value}", "sum": "${steps.sum.output}" },
        "steps": [
            transform("sum", json!("${input.a + input.b}")),
            { "name": "grade", "type": "decide", "config": {
                "rules": [
                    { "when": "steps.sum.output > 10", "value": "high" },
                    { "when": "steps.sum.output > 3", "value": "middle", "reason": "over ${1 + 2}" },
                ],
                "default": "low",
            } },
        ],
    });
    let mut run = Driver::of(definition, json!({ "a": 2, "b": 3 }));
    run.begin();
    run.expect("completed: sum completed, grade completed");
    let ruling = json!({ "value": "middle", "rule": 1, "reason": "over 3" });
    assert_eq!(run.output("grade"), ruling);
    let output = json!({ "grade": "middle", "sum": 5 });
    assert_eq!(run.run.output.as_deref(), Some(&output));
    let attempts: Vec<_> = run.run.steps.iter().map(|step| step.attempt).collect();
    assert_eq!(attempts, [1, 1], "they were made, once");
}

#[test]
fn an_expression_that_fails_fails_its_step() {
    let run = Driver::begun(json!([
        transform("a", json!("${input.missing.field}")),
        task("b", json!({}))
    ]));
    run.expect("failed: a failed, b skipped");
    let error = run.run.error.as_ref().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.retryable),
        ("expression", false)
    );
    assert_eq!(error.step.as_deref(), Some("a"));
}

#[test]
fn an_output_that_fails_fails_the_run() {
    let definition = json!({
        "name": "tested", "output": "${input.missing.field}", "steps": [transform("a", json!(1))],
    });
    let mut run = Driver::of(definition, json!({}));
    run.begin();
    run.expect("failed: a completed");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "expression");
}

#[test]
fn after_a_crash_an_attempt_is_made_again_under_its_number() {
    let mut run = Driver::begun(json!([
        task("a", json!({ "retry": attempts(3) })),
        task("b", json!({})),
    ]));
    run.trips("a");
    run.pass(1);
    run.expect("running: a running#2, b pending");
    run.crash();
    run.begin();
    run.expect("running: a running#2, b pending");
    run.feed(Event::Linger {
        key: run.key("a"),
        agent_policy: None,
    });
    run.crash();
    run.begin();
    run.expect("running: a running#2, b pending");
    run.done("a");
    run.crash();
    run.dead = 0;
    run.begin();
    run.expect("running: a completed, b running#1");
    assert_eq!(run.started, ["a#1", "a#2", "a#2", "a#2", "b#1", "b#1"]);
}

#[test]
fn an_attempt_that_lingers_is_shown_once() {
    let mut run = Driver::begun(json!([task("a", json!({}))]));
    let key = run.key("a");
    run.feed(Event::Linger {
        key,
        agent_policy: None,
    });
    assert!(run.has_row("a"));
    run.feed(Event::Linger {
        key,
        agent_policy: None,
    });
    run.done("a");
    let audit = [
        "run.started",
        "step.started a",
        "step.completed a",
        "run.completed",
    ];
    assert_eq!(run.audit(), audit);
}

#[test]
fn what_may_run_once_is_lost_in_a_crash() {
    let once = json!({ "delivery": "at_most_once", "retry": attempts(3) });
    let mut run = Driver::begun(json!([task("a", once)]));
    assert!(run.last.commit_first && run.has_row("a"));
    run.crash();
    run.begin();
    run.expect("failed: a failed");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "lost");
    assert_eq!(run.started, ["a#1"]);
}

#[test]
fn a_run_that_kills_its_workers_is_failed() {
    let mut run = Driver::begun(json!([task("a", json!({})), wait("b", "go", json!({}))]));
    for _ in 1..DEATHS_MAX {
        run.crash();
        run.begin();
    }
    assert_eq!(run.run.status, RunStatus::Running);
    run.crash();
    run.begin();
    run.expect("failed: a skipped, b skipped");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "poisoned");
}

#[test]
fn a_draining_run_starts_nothing_but_may_end() {
    let mut run = Driver::begun(json!([task("a", json!({})), task("b", json!({}))]));
    run.run.draining = true;
    run.done("a");
    run.expect("running: a completed, b pending");
    assert_eq!(
        run.run.next_wake(),
        Some(run.now),
        "it is due at once for the next worker"
    );
    run.let_go();
    run.begin();
    run.run.draining = true;
    run.done("b");
    assert_eq!(run.run.status, RunStatus::Completed);
}

#[test]
fn a_thousand_pure_steps_are_decided_in_parts() {
    let steps: Vec<_> = (0..1000)
        .map(|n| transform(&format!("s{n}"), json!(n)))
        .collect();
    let mut run = Driver::new(json!(steps));
    run.feed_once(Event::Begin { deaths: 0 });
    assert!(run.last.more);
    assert_eq!(run.run.status, RunStatus::Running);
    let mut calls = 1;
    while run.last.more {
        run.feed_once(Event::Tick);
        calls += 1;
    }
    assert_eq!(calls, 4);
    assert_eq!(run.run.status, RunStatus::Completed);
}
