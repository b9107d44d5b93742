//! Attempts that are made elsewhere: put up, reported, late, recalled.

use serde_json::{Value, json};

use super::deeds::failed;
use super::driver::Driver;
use super::{attempts, task, with};
use crate::{Event, Failure, Outcome};

fn external(name: &str, more: Value) -> Value {
    let config = json!({ "topic": "press", "input": { "of": name } });
    with(
        json!({ "name": name, "type": "external", "config": config }),
        more,
    )
}

impl Driver {
    fn reports(&mut self, name: &str, attempt: u32, outcome: Outcome) {
        let key = self.key(name);
        self.store.elsewhere.remove(&key);
        self.feed(Event::Reported {
            key,
            generation: self.store.header.generation,
            attempt,
            agent_policy: None,
            outcome,
        });
    }

    fn blocked(&self) -> (&'static str, Option<String>) {
        let on = self.run.blocked_on(&self.plan).unwrap();
        (on.kind, on.detail)
    }
}

fn done() -> Outcome {
    Outcome::Completed(json!("made"))
}

#[test]
fn a_result_from_elsewhere_completes_the_step() {
    let mut run = Driver::begun(json!([external("a", json!({})), task("b", json!({}))]));
    run.expect("waiting: a waiting#1, b pending");
    assert_eq!(run.blocked(), ("external", Some("press".to_owned())));
    assert_eq!(run.run.in_flight(), 0);
    run.crash();
    run.begin();
    run.expect("waiting: a waiting#1, b pending");
    assert_eq!(
        run.started,
        ["a#1"],
        "what is made elsewhere is not made again"
    );
    run.reports("a", 1, done());
    run.expect("running: a completed, b running#1");
    assert_eq!(run.output("a"), json!("made"));
}

#[test]
fn a_failure_from_elsewhere_is_retried_as_any_other() {
    let queued = json!({ "queue": "gpu", "retry": attempts(2) });
    let mut run = Driver::begun(json!([task("a", queued)]));
    assert_eq!(run.blocked(), ("queue", Some("gpu".to_owned())));
    run.reports("a", 1, failed(Failure::retryable("task_error", "no")));
    assert_eq!(run.blocked().0, "retry");
    run.crash();
    run.begin();
    assert_eq!(
        run.blocked().0,
        "retry",
        "a backoff is not taken for a wait"
    );
    run.pass(1);
    run.expect("waiting: a waiting#2");
    run.reports("a", 1, done());
    run.expect("waiting: a waiting#2");
    run.reports("a", 2, failed(Failure::retryable("task_error", "no")));
    run.expect("failed: a failed");
}

#[test]
fn an_agent_calls_back_until_its_time_is_over() {
    let mut run = Driver::begun(json!([task("a", json!({ "retry": attempts(2) }))]));
    let call = run.calls.remove(&run.key("a")).unwrap();
    run.store.elsewhere.insert(call.key, (1, 1));
    let until = run.now + chrono::TimeDelta::seconds(5);
    run.feed(Event::Outcome {
        key: call.key,
        attempt: 1,
        agent_policy: None,
        outcome: Outcome::Detached { until },
    });
    assert_eq!(run.blocked(), ("callback", Some("a".to_owned())));
    assert_eq!(run.run.next_wake(), Some(until));
    run.pass(5);
    assert_eq!(run.blocked().0, "retry");
    assert_eq!(run.aborted, ["a"]);
    run.reports("a", 1, done());
    run.expect("waiting: a waiting#1");
}

#[test]
fn external_work_that_nobody_does_times_out() {
    let patience = json!({ "timeout_ms": 2000, "retry": attempts(1) });
    let mut run = Driver::begun(json!([external("a", patience)]));
    run.pass(2);
    run.expect("failed: a timed_out");
    assert!(run.store.elsewhere.is_empty());
}

#[test]
fn what_is_made_elsewhere_takes_its_place() {
    let item = json!({ "type": "task", "config": { "task": "work" }, "queue": "gpu" });
    let map = json!({ "name": "m", "type": "map", "config": {
        "items": "[1, 2, 3, 4]", "step": item, "max_parallel": 3, "distribute": true } });
    let definition = json!({ "name": "tested", "steps": [map], "max_parallel": 2 });
    let mut run = Driver::of(definition, json!({}));
    run.begin();
    assert_eq!(run.started, ["m[0]#1", "m[1]#1"]);
    run.crash();
    run.begin();
    assert_eq!(
        run.started.len(),
        2,
        "places are counted again after a crash"
    );
    run.reports("m[0]", 1, done());
    assert_eq!(run.started.len(), 3);
    run.cancel();
    assert_eq!(run.aborted, ["m[1]", "m[2]"]);
    assert!(run.store.elsewhere.is_empty());
}

#[test]
fn a_result_that_overtakes_the_answer_counts() {
    let mut run = Driver::begun(json!([task("a", json!({}))]));
    run.reports("a", 1, done());
    run.expect("completed: a completed");
    assert!(run.calls.is_empty());
}
