//! What the expressions of one call may cost together, and what becomes of a step that needs more.

use serde_json::{Value, json};

use super::driver::Driver;
use super::{task, transform, with};
use crate::limits::{EXPRESSION_COST_INLINE, EXPRESSION_COST_MAX};
use crate::{Allowance, Event, RunStatus, StepStatus};

/// An expression that takes more than half of what a step may.
const MOST: &str = "${size(input.list.filter(x, x in input.list))}";

/// Its list: each turn compares with all.
fn input() -> Value {
    let length = (EXPRESSION_COST_MAX * 7 / 10).isqrt();
    json!({ "list": (0..length).collect::<Vec<_>>() })
}

fn run(steps: Value, more: Value) -> Driver {
    Driver::of(
        with(json!({ "name": "tested", "steps": steps }), more),
        input(),
    )
}

#[track_caller]
fn fails_for_work(run: &Driver, step: Option<&str>) {
    assert_eq!(run.run.status, RunStatus::Failed);
    let error = run.run.error.as_ref().unwrap();
    assert_eq!(
        (error.kind.as_str(), error.step.as_deref()),
        ("expression", step)
    );
    assert!(error.message.contains("too much data"), "{}", error.message);
    assert!(!error.retryable);
}

#[test]
fn the_expressions_of_one_step_have_one_allowance() {
    let mut one = run(json!([transform("a", json!(MOST))]), json!({}));
    one.begin();
    assert_eq!(one.run.status, RunStatus::Completed);
    assert!(
        one.last.spent > EXPRESSION_COST_MAX / 2,
        "{}",
        one.last.spent
    );
    let mut many = run(json!([transform("a", json!(vec![MOST; 400]))]), json!({}));
    many.begin();
    fails_for_work(&many, Some("a"));
    assert!(many.last.spent <= EXPRESSION_COST_MAX);
    let text = transform("a", json!(MOST.repeat(2)));
    let mut text = run(json!([text]), json!({}));
    text.begin();
    fails_for_work(&text, Some("a"));
}

#[test]
fn steps_that_come_together_do_not_fail_for_each_other() {
    let map = json!({ "name": "m", "type": "map", "config": {
        "items": "[1, 2]", "step": { "type": "transform", "config": { "value": MOST } },
    } });
    let rules = json!([{ "when": format!("{} > 0", &MOST[2..MOST.len() - 1]), "value": 1 }]);
    let decide = json!({ "name": "d", "type": "decide", "config": { "rules": rules } });
    let steps = json!([
        with(transform("a", json!(MOST)), json!({ "needs": [] })),
        with(transform("b", json!(MOST)), json!({ "needs": [] })),
        with(decide, json!({ "needs": [] })),
        with(map, json!({ "needs": ["a", "b", "d"] })),
    ]);
    let mut run = run(steps, json!({ "output": [MOST] }));
    run.begin();
    run.expect("completed: a completed, b completed, d completed, m completed");
    let all = json!([run.output("a")]);
    assert_eq!(run.run.output.as_deref(), Some(&all));
}

#[test]
fn a_step_that_needs_more_is_left_as_it_was() {
    let mut run = run(
        json!([
            transform("a", json!(1)),
            transform("b", json!(MOST)),
            task("c", json!({}))
        ]),
        json!({ "output": MOST }),
    );
    run.units = Some(EXPRESSION_COST_INLINE);
    run.feed_once(Event::Begin { deaths: 0 });
    assert!(run.last.more && run.last.apart);
    assert_eq!(run.last.spent, EXPRESSION_COST_INLINE);
    run.expect("running: a completed, b pending, c pending");
    assert_eq!(run.run.at(run.key("b")).attempt, 0);
    run.feed_once(Event::Tick);
    run.expect("running: a completed, b completed, c running#1");
    assert!(!run.last.more && !run.last.apart);
    // The end of a run as well.
    run.end_once("c");
    assert!(run.last.more && run.last.apart);
    run.expect("running: a completed, b completed, c completed");
    assert_eq!(run.run.at(run.key("c")).status, StepStatus::Completed);
    run.feed_once(Event::Tick);
    assert_eq!(run.run.output.as_deref(), Some(&run.output("b")));
}

#[test]
fn an_output_that_takes_too_much_fails_the_run() {
    let mut run = run(
        json!([transform("a", json!(1))]),
        json!({ "output": [MOST, MOST] }),
    );
    run.begin();
    fails_for_work(&run, None);
}

#[test]
fn what_is_told_to_stop_fails_with_the_reason() {
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let mut run = run(json!([transform("a", json!(MOST))]), json!({}));
    let begin = Event::Begin { deaths: 0 };
    let allowance = Allowance::until(stop);
    run.run.advance_within(&run.plan, begin, run.now, allowance);
    let error = run.run.error.as_ref().unwrap();
    assert!(error.message.contains("took too long"), "{}", error.message);
}

impl Driver {
    /// Ends an attempt, and leaves what is left to be done.
    fn end_once(&mut self, name: &str) {
        let key = self.key(name);
        let attempt = self.calls.remove(&key).unwrap().attempt;
        self.feed_once(Event::Outcome {
            key,
            attempt,
            agent_policy: None,
            outcome: crate::Outcome::Completed(json!(1)),
        });
    }
}
