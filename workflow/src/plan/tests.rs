//! Definitions and the graphs and steps they become.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a failed unwrap is a failed test, and tables of cases read better by value"
)]

use serde_json::{Value, json};

use super::{Delay, Delivery, Kind, OnError, Plan};
use crate::validate;

fn plan(steps: Value) -> Plan {
    let (definition, _) = validate::validate(&json!({"name": "w", "steps": steps})).unwrap();
    Plan::compile(&definition).unwrap()
}

/// Checks the graph: `a b<a c<a,b` says that b waits for a, and c for both. A step is written as
/// its name, followed by `~` if it is async, by `=1` for a sequence, or by `<a,b` for needs.
#[track_caller]
fn check(written: &str, expected: &str) {
    let steps: Vec<Value> = written
        .split(' ')
        .map(|text| {
            let (text, needs) = text
                .split_once('<')
                .map_or((text, None), |(text, needs)| (text, Some(needs)));
            let (text, sequence) = text
                .split_once('=')
                .map_or((text, None), |(text, number)| (text, Some(number)));
            let (name, is_async) = text
                .strip_suffix('~')
                .map_or((text, false), |name| (name, true));
            let mut step = json!({"name": name, "type": "transform", "config": {"value": 1}});
            if let Some(needs) = needs {
                let names: Vec<&str> = needs.split(',').filter(|name| !name.is_empty()).collect();
                step["needs"] = json!(names);
            }
            if let Some(number) = sequence {
                step["sequence"] = json!(number.parse::<i64>().unwrap());
            }
            if is_async {
                step["execution_type"] = json!("async");
            }
            step
        })
        .collect();
    let plan = plan(json!(steps));
    let shown: Vec<String> = plan
        .steps
        .iter()
        .map(|step| {
            let needs: Vec<&str> = step
                .needs
                .iter()
                .map(|&need| &*plan.steps[usize::from(need)].name)
                .collect();
            if needs.is_empty() {
                step.name.to_string()
            } else {
                format!("{}<{}", step.name, needs.join(","))
            }
        })
        .collect();
    assert_eq!(shown.join(" "), expected, "{written}");
}

#[test]
fn a_list_runs_in_order() {
    check("a", "a");
    check("a b c", "a b<a c<b");
}

#[test]
fn needs_fork_and_join() {
    check("a b< c<a,b", "a b c<a,b");
    check("a b<a c<a d<b,c,b", "a b<a c<a d<b,c");
    check("c<a a< b<", "a c<a b");
    check("a b<a c", "a b<a c<b");
}

#[test]
fn an_async_step_is_not_waited_for() {
    check("a b~ c", "a b<a c<a");
    check("a~ b c", "a b c<b");
    check("a b~ c~ d", "a b<a c<a d<a");
    check("a b c~<a d", "a b<a c<a d<a");
    check("a b~ c<b", "a b<a c<b");
}

#[test]
fn equal_numbers_run_together() {
    check("a=1 b=2 c=2 d=3", "a b<a c<a d<b,c");
    check("b=2 a=1", "a b<a");
    check("a=1 b~=1 c=2", "a b c<a");
    check("a=1 b~=2 c=3", "a b<a c<a");
    check("a~=-1 b=0 c=7", "a b c<b");
}

#[test]
fn defaults_are_filled_in() {
    let plan = plan(json!([
        {"name": "a", "type": "agent", "config": {"agent": "x"}},
        {"name": "h", "type": "webhook", "on_error": "skip_rest", "delivery": "at_most_once",
         "timeout_ms": 1500,
         "config": {"url": "http://x/", "expect_status": ["5xx", 201]}},
        {"name": "d", "type": "delay", "config": {"duration": "PT2M"}},
        {"name": "m", "type": "map", "config": {"items": "input", "workflow": "child"}},
    ]));
    let Kind::Agent { input, .. } = &plan.steps[0].kind else {
        panic!("{:?}", plan.steps[0]);
    };
    assert_eq!(input.source, json!("${input}"));
    assert_eq!(plan.steps[0].on_error, OnError::Fail);
    assert_eq!(plan.steps[0].delivery, Delivery::AtLeastOnce);

    let hook = &plan.steps[1];
    assert_eq!(hook.on_error, OnError::SkipRest);
    assert_eq!(hook.delivery, Delivery::AtMostOnce);
    assert_eq!(hook.timeout.map(|t| t.as_millis()), Some(1_500));
    let Kind::Http {
        method,
        expect_status,
        ..
    } = &hook.kind
    else {
        panic!("{hook:?}");
    };
    assert_eq!(&**method, "POST");
    assert_eq!((expect_status[0], expect_status.len()), (201, 101));

    let Kind::Delay(Delay::For(duration)) = &plan.steps[2].kind else {
        panic!("{:?}", plan.steps[2]);
    };
    assert_eq!(duration.as_secs(), 120);

    let Kind::Map(map) = &plan.steps[3].kind else {
        panic!("{:?}", plan.steps[3]);
    };
    assert_eq!(&*map.step.name, "m");
    let Kind::Workflow { input, wait, .. } = &map.step.kind else {
        panic!("{:?}", map.step);
    };
    assert_eq!((&input.source, *wait), (&json!("${item}"), true));
}

#[test]
fn a_thousand_steps_compile() {
    let steps: Vec<Value> = (0..1_000)
        .map(|n| {
            json!({"name": format!("s{n}"), "type": "transform", "sequence": n / 500,
                   "config": {"value": "${input.x + 1}"}})
        })
        .collect();
    let plan = plan(json!(steps));
    assert_eq!(plan.steps[999].needs.len(), 500);
}

#[test]
fn the_word_of_a_type_is_kept_as_written() {
    let config = json!({"url": "http://example.com"});
    let inner = json!({"type": "webhook", "config": config});
    let plan = plan(json!([
        {"name": "a", "type": "webhook", "config": config},
        {"name": "b", "type": "http", "config": config},
        {"name": "c", "type": "map", "config": {"items": "[1]", "step": inner}},
        {"name": "d", "type": "map", "config": {"items": "[1]", "workflow": "other"}},
    ]));
    let words: Vec<&str> = plan.steps.iter().map(|step| step.word).collect();
    assert_eq!(words, ["webhook", "http", "map", "map"]);
    let inner = |n: usize| match &plan.steps[n].kind {
        Kind::Map(map) => map.step.word,
        _ => unreachable!(),
    };
    assert_eq!((inner(2), inner(3)), ("webhook", "workflow"));
}
