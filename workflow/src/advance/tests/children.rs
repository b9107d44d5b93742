//! Steps that are runs of their own.

use serde_json::{Value, json};
use uuid::Uuid;

use super::driver::Driver;
use super::{attempts, with};
use crate::{Event, Failure, RunStatus};

fn child(config: Value, more: Value) -> Value {
    let config = with(json!({ "workflow": "other", "input": { "n": 1 } }), config);
    let step = json!({ "name": "c", "type": "workflow", "config": config });
    json!([with(step, more)])
}

fn only_child(run: &Driver) -> Uuid {
    assert_eq!(run.store.children.len(), 1);
    *run.store.children.keys().next().unwrap()
}

fn ends(run: &mut Driver, id: Uuid, result: Result<Value, Failure>) {
    run.store.children.remove(&id);
    run.feed(Event::ChildEnded {
        key: run.key("c"),
        child_run_id: id,
        result,
    });
}

#[test]
fn a_step_waits_for_its_child() {
    let mut run = Driver::begun(child(json!({}), json!({})));
    run.expect("waiting: c waiting");
    let id = only_child(&run);
    let blocked = run.run.blocked_on(&run.plan).unwrap();
    assert_eq!(
        (blocked.kind, blocked.detail),
        ("child", Some(id.to_string()))
    );
    run.crash();
    run.begin();
    assert_eq!(only_child(&run), id, "it is not started again");
    run.feed(Event::ChildEnded {
        key: run.key("c"),
        child_run_id: Uuid::from_u128(1),
        result: Ok(json!(1)),
    });
    run.expect("waiting: c waiting");
    ends(&mut run, id, Ok(json!({ "x": 1 })));
    assert_eq!(run.run.status, RunStatus::Completed);
    assert_eq!(run.output("c"), json!({ "x": 1 }));
}

#[test]
fn a_child_need_not_be_waited_for() {
    let run = Driver::begun(child(json!({ "wait": false }), json!({})));
    run.expect("completed: c completed");
    let id = run.run.steps[0].child_run_id.unwrap();
    assert_eq!(run.output("c"), json!({ "run_id": id }));
}

#[test]
fn a_failed_child_fails_its_step() {
    let mut run = Driver::begun(child(json!({}), json!({})));
    let id = only_child(&run);
    ends(&mut run, id, Err(Failure::fatal("task_error", "no luck")));
    run.expect("failed: c failed");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "child_failed");
}

#[test]
fn a_failed_child_may_be_started_anew() {
    let mut run = Driver::begun(child(json!({}), json!({ "retry": attempts(2) })));
    let first = only_child(&run);
    ends(
        &mut run,
        first,
        Err(Failure::fatal("task_error", "no luck")),
    );
    run.expect("waiting: c waiting");
    assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "retry");
    run.crash();
    run.begin();
    run.pass(1);
    let second = only_child(&run);
    assert_ne!(first, second);
    ends(&mut run, second, Ok(json!(2)));
    assert_eq!(run.run.status, RunStatus::Completed);
}

fn refused(wait: bool, more: Value) -> Value {
    let config = json!({ "workflow": "refused", "wait": wait });
    let mut steps = child(config, more);
    let after = json!({ "name": "after", "type": "transform", "config": { "value": 1 } });
    steps.as_array_mut().unwrap().push(after);
    steps
}

#[test]
fn a_child_that_cannot_be_started_fails_its_step() {
    for wait in [true, false] {
        let run = Driver::begun(refused(wait, json!({ "retry": attempts(5) })));
        run.expect("failed: c failed, after skipped");
        let error = run.run.error.as_ref().unwrap();
        assert_eq!(
            (error.kind.as_str(), error.step.as_deref()),
            ("unknown_workflow", Some("c"))
        );
        assert_eq!(run.run.steps[0].child_run_id, None);
        let audit = [
            "run.started",
            "step.failed c",
            "step.skipped after",
            "run.failed",
        ];
        assert_eq!(run.audit(), audit, "it waited for nobody");

        let run = Driver::begun(refused(wait, json!({ "on_error": "continue" })));
        run.expect("completed: c failed, after completed");
        let run = Driver::begun(refused(wait, json!({ "on_error": "skip_rest" })));
        run.expect("completed: c failed, after skipped");
    }
}

#[test]
fn a_child_that_may_be_started_later_is_tried_again() {
    for wait in [true, false] {
        let mut run = Driver::new(refused(wait, json!({ "retry": attempts(2) })));
        run.refusal = Failure::retryable("workflow_lookup", "the database is tired");
        run.begin();
        run.expect("waiting: c waiting, after pending");
        assert_eq!(run.run.blocked_on(&run.plan).unwrap().kind, "retry");
        run.crash();
        run.begin();
        run.pass(1);
        run.expect("failed: c failed, after skipped");
        assert_eq!(run.run.steps[0].attempt, 2);
    }
}

#[test]
fn items_that_cannot_be_started_count_as_failed() {
    let inner = json!({ "type": "workflow", "config": { "workflow": "refused", "wait": false } });
    let config = json!({ "items": "[1, 2, 3]", "step": inner, "tolerated_failures": 3 });
    let run = Driver::begun(json!([{ "name": "m", "type": "map", "config": config }]));
    run.expect("completed: m completed");
    assert_eq!(run.output("m"), json!([null, null, null]));
}

#[test]
fn a_child_is_left_out_where_its_run_fails_before_the_commit() {
    let other = json!({ "name": "other", "type": "workflow", "needs": [],
        "config": { "workflow": "other" } });
    let refused = json!({ "name": "c", "type": "workflow", "needs": [],
        "config": { "workflow": "refused" } });
    let run = Driver::begun(json!([other, refused]));
    run.expect("failed: other cancelled, c failed");
    assert!(run.store.children.is_empty() && run.cancelled_children.is_empty());
}

#[test]
fn an_answer_that_nobody_asked_for_decides_nothing() {
    let mut run = Driver::begun(child(json!({}), json!({})));
    let key = run.key("c");
    for child_run_id in [only_child(&run), Uuid::from_u128(1)] {
        run.feed(Event::ChildStarted { key, child_run_id });
        assert!(run.last.records.is_empty() && !run.last.commit_first);
        let failure = Failure::fatal("unknown_workflow", "too late");
        run.feed(Event::ChildRefused {
            key,
            child_run_id,
            failure,
        });
        run.expect("waiting: c waiting");
    }
}

#[test]
fn the_failure_of_a_child_is_told_once() {
    let told = |cause: Failure| {
        let mut run = Driver::begun(child(json!({}), json!({})));
        let id = only_child(&run);
        ends(&mut run, id, Err(cause));
        let error = run.run.error.clone().unwrap();
        assert_eq!(error.kind, "child_failed");
        error.message.replace(&id.to_string(), "ID")
    };
    let mut cause = Failure::fatal("child_input", "it does not fit");
    assert_eq!(
        told(cause.clone()),
        "the child run ID ended: child_input: it does not fit"
    );
    cause.step = Some("deep".to_owned());
    assert_eq!(
        told(cause),
        "the child run ID ended at its step `deep`: child_input: it does not fit"
    );
    let cancelled = Failure::fatal("child_failed", "the child run was cancelled");
    assert_eq!(told(cancelled), "the child run was cancelled (ID)");
}

#[test]
fn a_cancelled_run_cancels_its_child() {
    let mut run = Driver::begun(child(json!({}), json!({})));
    let id = only_child(&run);
    run.cancel();
    run.expect("cancelled: c cancelled");
    assert_eq!(run.cancelled_children, [id]);
}
