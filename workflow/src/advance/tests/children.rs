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

#[test]
fn an_unknown_workflow_is_not_tried_again() {
    let mut run = Driver::begun(child(json!({}), json!({ "retry": attempts(5) })));
    let id = only_child(&run);
    let unknown = Failure::fatal("unknown_workflow", "there is no workflow `other`");
    ends(&mut run, id, Err(unknown));
    run.expect("failed: c failed");
    assert_eq!(run.run.error.as_ref().unwrap().kind, "unknown_workflow");
}

#[test]
fn a_cancelled_run_cancels_its_child() {
    let mut run = Driver::begun(child(json!({}), json!({})));
    let id = only_child(&run);
    run.cancel();
    run.expect("cancelled: c cancelled");
    assert_eq!(run.cancelled_children, [id]);
}
