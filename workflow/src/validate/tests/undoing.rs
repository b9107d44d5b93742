//! Compensations, `on_failure` and concurrency.

use serde_json::{Value, json};

use super::{check, of, step, with};
use crate::Plan;
use crate::validate::validate;

#[test]
fn a_compensation_sees_what_its_step_saw_and_did() {
    let undo = |config: Value| {
        let steps = json!([
            step("before"),
            {"name": "a", "type": "task", "config": {"task": "t"},
             "compensate": {"type": "task", "config": config, "retry": {"max_attempts": 3}}},
            step("after"),
        ]);
        of(steps)
    };
    let at = "/steps/1/compensate/config/input";
    let see = |text: &str| undo(json!({"task": "t", "input": text}));
    for good in [
        "${step.input.x}",
        "${has(step.output) ? step.output.id : 'none'}",
        "${error.type + error.message}",
        "${steps.before.output}",
        "${steps.a.output}",
        "${run.id}",
        "${[1].map(step, step + 1)}",
    ] {
        check(see(good), &[]);
    }
    check(
        see("${steps.after.output}"),
        &[(422, at, "may not have finished")],
    );
    check(see("${step.status}"), &[(422, at, "`input` and `output`")]);
    check(see("${step}"), &[(422, at, "write `step.input`")]);
    check(
        with("transform", json!({"value": "${error.type}"})),
        &[(422, "/steps/0/config/value", "no `error` here")],
    );
    check(
        with("transform", json!({"value": "${step.output}"})),
        &[(422, "/steps/0/config/value", "no variable `step`")],
    );
    let mut document = of(json!([step("a")]));
    document["steps"][0]["compensate"] = json!({"type": "delay", "config": {"duration": 1}});
    check(
        document.clone(),
        &[(422, "/steps/0/compensate/type", "cannot run once")],
    );
    document["steps"][0]["compensate"] =
        json!({"type": "agent", "config": {"agnet": 1}, "needs": []});
    check(
        document,
        &[
            (400, "/steps/0/compensate/needs", "unknown"),
            (400, "/steps/0/compensate/config/agnet", "unknown"),
            (400, "/steps/0/compensate/config", "`agent` is missing"),
        ],
    );
}

#[test]
fn on_failure_sees_every_step_and_the_error() {
    let ends = |on_failure: Value| {
        let mut document = of(json!([step("a"), step("b")]));
        document["on_failure"] = on_failure;
        document
    };
    let tell = |name: &str, value: &str| json!({"name": name, "type": "transform", "config": {"value": value}});
    check(
        ends(json!([
            tell("x", "${error.message} ${steps.a.status} ${steps.b.output}"),
            tell("y", "${steps.x.output}"),
        ])),
        &[],
    );
    check(
        ends(json!([
            tell("x", "${steps.y.output}"),
            tell("y", "${steps.c.output}")
        ])),
        &[
            (422, "/on_failure/0/config/value", "has not run yet"),
            (422, "/on_failure/1/config/value", "no step `c`"),
        ],
    );
    check(
        ends(
            json!([tell("a", "1"), tell("x y", "1"), {"name": "m", "type": "wait"}, {"type": "task"}]),
        ),
        &[
            (422, "/on_failure/0/name", "another step has this name"),
            (422, "/on_failure/1/name", "letters"),
            (422, "/on_failure/2/type", "cannot run once"),
            (400, "/on_failure/3", "`name` is missing"),
            (400, "/on_failure/3/config", "`task` is missing"),
        ],
    );
    let mut document = of(json!([tell("a", "${steps.x.output}")]));
    document["on_failure"] = json!([tell("x", "1")]);
    check(document, &[(422, "/steps/0/config/value", "no step `x`")]);
}

#[test]
fn concurrency_looks_at_the_input_alone() {
    let limited = |concurrency: Value| {
        let mut document = of(json!([step("a")]));
        document["concurrency"] = concurrency;
        document
    };
    check(limited(json!({"key": "input.customer", "limit": 1})), &[]);
    check(
        limited(json!({"limit": 3, "on_limit": "cancel_running"})),
        &[],
    );
    check(
        limited(json!({"key": "run.id", "limit": 0, "on_limit": "drop", "per": 1})),
        &[
            (422, "/concurrency/key", "no run yet"),
            (422, "/concurrency/limit", "between 1 and"),
            (422, "/concurrency/on_limit", "one of"),
            (400, "/concurrency/per", "unknown"),
        ],
    );
    check(
        limited(json!({"key": "steps.a.output", "limit": 1})),
        &[(422, "/concurrency/key", "no run yet")],
    );
    check(
        limited(json!({"key": "x"})),
        &[
            (400, "/concurrency", "`limit` is missing"),
            (422, "/concurrency/key", "no variable `x`"),
        ],
    );
}

#[test]
fn the_key_is_what_the_expression_comes_to() {
    let plan = |key: &str| {
        let mut document = of(json!([step("a")]));
        document["concurrency"] = json!({"key": key, "limit": 1});
        Plan::compile(&validate(&document).unwrap().0).unwrap()
    };
    let check = |key: &str, input: Value, expected: Result<&str, &str>| match (
        plan(key).concurrency_key(&input),
        expected,
    ) {
        (Ok(got), Ok(expected)) => assert_eq!(got, expected),
        (Err(got), Err(expected)) => assert!(got.contains(expected), "{got}"),
        (got, _) => panic!("{got:?}"),
    };
    check("input.c", json!({"c": "ann"}), Ok("ann"));
    check("${input.c}", json!({"c": 7}), Ok("7"));
    check(
        "input.c + '/' + string(input.n)",
        json!({"c": "ann", "n": 2}),
        Ok("ann/2"),
    );
    check("input.c", json!({}), Err("no key `c`"));
    check("input.c", json!({"c": [1]}), Err("came to a list"));
    check(
        "input.c",
        json!({"c": "x".repeat(256)}),
        Err("255 characters"),
    );
}
