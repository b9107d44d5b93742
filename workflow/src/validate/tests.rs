//! Documents and what is found in them.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a failed unwrap is a failed test, and tables of cases read better by value"
)]

use std::collections::HashSet;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{Finding, validate};
use crate::Plan;

/// A step that may be in any place.
fn step(name: &str) -> Value {
    json!({"name": name, "type": "transform", "config": {"value": 1}})
}

/// A workflow of these steps.
fn of(steps: Value) -> Value {
    json!({"name": "w", "steps": steps})
}

/// A workflow of one step with this type and config.
fn with(kind: &str, config: Value) -> Value {
    of(json!([{"name": "a", "type": kind, "config": config}]))
}

fn findings(document: &Value) -> Vec<Finding> {
    validate(document)
        .err()
        .map_or_else(Vec::new, |findings| findings.0)
}

/// Checks the findings: `400` or `422`, the pointer, and a part of the sentence, in any order.
#[track_caller]
fn check(document: Value, expected: &[(u16, &str, &str)]) {
    let mut found = findings(&document);
    let all = format!("{found:#?}");
    for (status, pointer, part) in expected {
        let at = found.iter().position(|finding| {
            finding.malformed == (*status == 400)
                && finding.pointer == *pointer
                && finding.detail.contains(part)
        });
        match at {
            Some(at) => found.remove(at),
            None => panic!("no {status} at {pointer} about {part} in {all}"),
        };
    }
    assert!(found.is_empty(), "more than expected: {found:#?}");
}

#[test]
fn the_example_of_the_api_is_sound() {
    check(
        json!({"name": "Demo Workflow", "description": "A sample workflow", "steps": [
            {"name": "pause", "type": "delay", "config": {"duration": 2}},
            {"name": "notify", "type": "webhook", "config": {"url": "http://127.0.0.1:9000/post",
             "method": "POST", "headers": {"Content-Type": "application/json"},
             "body": {"message": "Hello ${input.user}"}}}]}),
        &[],
    );
}

#[test]
fn every_type_has_a_sound_form() {
    for (kind, config) in [
        (
            "agent",
            json!({"agent": "scorer", "input": {"x": "${input.x}"}}),
        ),
        (
            "http",
            json!({"url": "https://example.org/${input.id}", "expect_status": [200, "4xx"]}),
        ),
        (
            "webhook",
            json!({"url": "${input.url}", "sign": "whsec_MfKQ9r8GKYqrTwjU", "body": [1]}),
        ),
        ("delay", json!({"duration": "PT2M"})),
        ("delay", json!({"duration": "${input.seconds}"})),
        ("delay", json!({"until": "2026-03-01T10:00:00Z"})),
        ("transform", json!({"value": null})),
        (
            "decide",
            json!({"rules": [{"when": "input.x > 1", "value": "A", "reason": "x is ${input.x}"},
                                     {"when": "${true}", "value": {"a": 1}}], "default": "B"}),
        ),
        (
            "map",
            json!({"items": "${input.people}", "max_parallel": 5, "tolerated_failures": 1,
                       "step": {"type": "agent", "config": {"agent": "a", "input": "${item}"},
                                "retry": {"max_attempts": 2}, "timeout_ms": 5,
                                "delivery": "at_most_once"}}),
        ),
        ("map", json!({"items": "input.people", "workflow": "child"})),
        (
            "wait",
            json!({"signal": "approved", "timeout_ms": 1000, "on_timeout": "continue"}),
        ),
        (
            "workflow",
            json!({"workflow": "child", "version": 2, "wait": false}),
        ),
        ("workflow", json!({"workflow": "${input.child}"})),
        ("task", json!({"task": "resize"})),
    ] {
        check(with(kind, config), &[]);
    }
}

#[test]
fn wrong_shapes_are_malformed() {
    check(json!([]), &[(400, "", "an object, not a list")]);
    check(
        json!({"nam": "x"}),
        &[
            (400, "", "`name` is missing"),
            (400, "", "`steps` is missing"),
            (400, "/nam", "unknown"),
        ],
    );
    check(
        json!({"name": 5, "steps": [7, {"name": "a", "type": "http", "a/b": 1, "config": {}}],
               "labels": {"x": 1}, "input_schema": "s", "timeout_ms": "1"}),
        &[
            (400, "/name", "a string, not a number"),
            (400, "/steps/0", "an object"),
            (400, "/steps/1/a~1b", "unknown"),
            (400, "/steps/1/config", "`url` is missing"),
            (400, "/labels/x", "a string"),
            (400, "/input_schema", "an object"),
            (400, "/timeout_ms", "a whole number"),
        ],
    );
    check(
        with("agent", json!([])),
        &[(400, "/steps/0/config", "an object")],
    );
    check(
        of(json!([{"name": "a", "type": "agent"}])),
        &[(400, "/steps/0/config", "`agent` is missing")],
    );
    check(
        with(
            "map",
            json!({"items": "input", "step": {"type": "task", "name": "x", "when": "true",
             "config": {"task": "t", "extra": 1}}}),
        ),
        &[
            (400, "/steps/0/config/step/name", "unknown"),
            (400, "/steps/0/config/step/when", "unknown"),
            (400, "/steps/0/config/step/config/extra", "unknown"),
        ],
    );
    check(
        with("decide", json!({"rules": [{"value": 1, "if": "x"}]})),
        &[
            (400, "/steps/0/config/rules/0", "`when` is missing"),
            (400, "/steps/0/config/rules/0/if", "unknown"),
        ],
    );
    check(
        of(
            json!([{"name": "a", "type": "task", "config": {"task": "t"}, "needs": "b",
                   "retry": {"attempts": 2, "jitter": "x"}}]),
        ),
        &[
            (400, "/steps/0/needs", "a list"),
            (400, "/steps/0/retry/attempts", "unknown"),
            (400, "/steps/0/retry/jitter", "a number"),
        ],
    );
}

#[test]
fn everything_that_is_wrong_with_one_step_is_said() {
    let config = json!({"url": "ftp://x", "method": "FETCH", "headers": {"ok": "a\nb", "host": "x"},
                        "expect_status": [99, "2xx"], "sign": "not base64"});
    let mut document = with("http", config);
    document["steps"][0]["queue"] = json!("a b");
    document["steps"][0]["retry"] =
        json!({"max_attempts": -1, "jitter": 2, "retry_on": ["q"], "max_interval_ms": 0.5});
    check(
        document,
        &[
            (422, "/steps/0/retry/max_attempts", "negative"),
            (400, "/steps/0/retry/max_interval_ms", "a whole number"),
            (422, "/steps/0/retry/jitter", "between 0 and 1"),
            (422, "/steps/0/retry/retry_on/0", "a class"),
            (422, "/steps/0/config/url", "only http"),
            (422, "/steps/0/config/method", "GET"),
            (422, "/steps/0/config/headers/ok", "one line"),
            (422, "/steps/0/config/headers/host", "remove it"),
            (422, "/steps/0/config/expect_status/0", "100 to 599"),
            (422, "/steps/0/config/sign", "base64"),
            (422, "/steps/0/queue", "1 to 64"),
        ],
    );
}

#[test]
fn what_fails_for_every_input_is_found() {
    for (wrong, about) in [
        (r#"1 + "a""#, "`+` cannot be applied to a number and text"),
        ("input.x - 'a'", "`-` cannot be applied to text"),
        ("true && 1", "`&&` cannot be applied to a number"),
        ("!input.x || !5", "`!` cannot be applied to a number"),
        ("'a' < 1", "text cannot be compared with a number"),
        ("1 in 5", "not into a number"),
        (
            "[1, 2] == 5 ? 1 : size(-'x')",
            "`-` cannot be applied to text",
        ),
        ("'yes' ? 1 : 2", "`?` needs true or false"),
    ] {
        let value = json!({ "value": format!("${{{wrong}}}") });
        check(
            with("transform", value),
            &[(422, "/steps/0/config/value", about)],
        );
    }
    for right in [
        "1 + 2.5",
        "input.x + 'a'",
        "input.x + input.y",
        "[1] + input.list",
        "'a' in input",
        "string(1) + 'a'",
        "input.n > 3 && size(input.list) > 0",
        "-input.n + 1 < 3u",
        "input.a ? 1 : 'b'",
        "type(1) == int",
        "[1].map(x, x + 1)",
        "null == input.x",
        "1 == 'a'",
    ] {
        check(
            with("transform", json!({ "value": format!("${{{right}}}") })),
            &[],
        );
    }
    let mut document = with("map", json!({ "items": "${5}", "workflow": "child" }));
    document["steps"][0]["when"] = json!("1");
    check(
        document,
        &[
            (
                422,
                "/steps/0/when",
                "a number, but must give true or false",
            ),
            (
                422,
                "/steps/0/config/items",
                "a number, but must give a list",
            ),
        ],
    );
    check(
        with(
            "decide",
            json!({ "rules": [{ "when": "'a'", "value": 1 }] }),
        ),
        &[(422, "/steps/0/config/rules/0/when", "text, but must give")],
    );
}

#[test]
fn broken_rules_are_found_beside_wrong_shapes() {
    check(
        json!({"name": " ", "extra": 1, "max_parallel": 0, "steps": [
            {"name": "1st", "type": "transform", "config": {"value": "${inputt}"}},
            {"name": "b", "type": "nope", "needs": ["c"]},
        ]}),
        &[
            (400, "/extra", "unknown"),
            (422, "/name", "1 to 200"),
            (422, "/max_parallel", "between 1 and 1000"),
            (422, "/steps/0/name", "begins with a letter"),
            (422, "/steps/0/config/value", "no variable `inputt`"),
            (422, "/steps/1/type", "no step type `nope`"),
            (422, "/steps/1/needs/0", "no step `c`"),
        ],
    );
}

#[test]
fn names_and_numbers_have_bounds() {
    check(of(json!([])), &[(422, "/steps", "at least one")]);
    check(
        of(json!([
            step("a"),
            step("a"),
            step(&"x".repeat(65)),
            step("ü"),
            step("_-9")
        ])),
        &[
            (422, "/steps/1/name", "taken by /steps/0"),
            (422, "/steps/2/name", "at most 64"),
            (422, "/steps/3/name", "letters"),
        ],
    );
    let mut document = of(json!([step("a")]));
    document["steps"][0]["timeout_ms"] = json!(0);
    document["steps"][0]["on_error"] = json!("ignore");
    document["steps"][0]["delivery"] = json!("maybe");
    document["steps"][0]["execution_type"] = json!("parallel");
    document["steps"][0]["retry"] = json!({"max_attempts": 101});
    document["timeout_ms"] = json!(31_622_400_001_u64);
    document["max_parallel"] = json!(-1);
    check(
        document,
        &[
            (422, "/steps/0/timeout_ms", "between 1 and"),
            (422, "/steps/0/on_error", "`skip_rest`"),
            (422, "/steps/0/delivery", "`at_most_once`"),
            (422, "/steps/0/execution_type", "`async`"),
            (422, "/steps/0/retry/max_attempts", "between 1 and 100"),
            (422, "/timeout_ms", "31622400000"),
            (422, "/max_parallel", "1000"),
        ],
    );
    let many: Vec<Value> = (0..1_001).map(|n| step(&format!("s{n}"))).collect();
    check(of(json!(many)), &[(422, "/steps", "1001 steps")]);
    check(
        with("transform", json!({"value": "x".repeat(1 << 20)})),
        &[(422, "", "bytes")],
    );
}

#[test]
fn the_order_must_be_possible() {
    let needing = |name: &str, needs: Value| {
        let mut step = step(name);
        step["needs"] = needs;
        step
    };
    check(
        of(json!([
            needing("a", json!(["c"])),
            needing("b", json!(["a"])),
            needing("c", json!(["b"])),
            needing("d", json!(["c"]))
        ])),
        &[(422, "/steps/0/needs", "a -> c -> b -> a")],
    );
    check(
        of(json!([
            needing("a", json!(["b", "z"])),
            needing("b", json!(["a", "b"]))
        ])),
        &[
            (422, "/steps/0/needs/1", "no step `z`"),
            (422, "/steps/1/needs/1", "needs itself"),
            (422, "/steps/0/needs", "a -> b -> a"),
        ],
    );
    check(
        of(json!([
            needing("a", json!(["b"])),
            needing("b", json!(["a"])),
            needing("x", json!(["y", "a"])),
            needing("y", json!(["x"]))
        ])),
        &[
            (422, "/steps/0/needs", "a -> b -> a"),
            (422, "/steps/2/needs", "x -> y -> x"),
        ],
    );
    check(
        of(json!([needing("a", json!(["a", "z", "z"]))])),
        &[
            (422, "/steps/0/needs/0", "needs itself"),
            (422, "/steps/0/needs/1", "no step `z`"),
            (422, "/steps/0/needs/2", "no step `z`"),
        ],
    );
    let mut mixed = of(json!([step("a"), needing("b", json!(["a"])), step("c")]));
    mixed["steps"][0]["sequence"] = json!(1);
    mixed["steps"][1]["sequence"] = json!(2);
    check(
        mixed,
        &[
            (422, "/steps/1/needs", "not by both"),
            (422, "/steps/2", "no `sequence`"),
        ],
    );
    let mut broken = of(json!([step("a")]));
    broken["steps"][0]["sequence"] = json!(1.0);
    check(broken, &[(422, "/steps/0/sequence", "fraction")]);
}

#[test]
fn expressions_may_use_what_has_finished() {
    let using = |name: &str, used: &str| {
        json!({"name": name, "type": "transform",
               "config": {"value": {"v": [format!("${{steps.{used}.output}}")]}}})
    };
    check(of(json!([step("a"), step("b"), using("c", "a")])), &[]);
    check(
        of(json!([
            using("a", "b"),
            step("b"),
            using("c", "c"),
            using("d", "nope")
        ])),
        &[
            (
                422,
                "/steps/0/config/value/v/0",
                "`b` may not have finished",
            ),
            (422, "/steps/2/config/value/v/0", "its own result"),
            (422, "/steps/3/config/value/v/0", "no step `nope`"),
        ],
    );
    // An async step is not waited for, unless it is needed by name.
    let mut document = of(json!([step("a"), using("b", "a"), using("c", "a")]));
    document["steps"][0]["execution_type"] = json!("async");
    document["steps"][2]["needs"] = json!(["a"]);
    check(
        document,
        &[(422, "/steps/1/config/value/v/0", "`a` may not")],
    );
    // Everywhere that an expression may stand.
    check(
        json!({"name": "w", "output": "${steps.z.output} ${steps.late.output}", "steps": [
            {"name": "d", "type": "decide", "when": "steps.late.output",
             "config": {"rules": [{"when": "${steps.late.output}", "value": "${steps.late.output}"}],
                        "default": "${steps.late.output}"}},
            {"name": "m", "type": "map", "config": {"items": "steps.late.output", "step":
                {"type": "agent", "config": {"agent": "x", "input": "${steps.late.output}"}}}},
            step("late"),
        ]}),
        &[
            (422, "/output", "no step `z`"),
            (422, "/steps/0/when", "`late`"),
            (422, "/steps/0/config/rules/0/when", "`late`"),
            (422, "/steps/0/config/rules/0/value", "`late`"),
            (422, "/steps/0/config/default", "`late`"),
            (422, "/steps/1/config/items", "`late`"),
            (422, "/steps/1/config/step/config/input", "`late`"),
        ],
    );
    check(
        with("agent", json!({"agent": "a", "input": "${item}"})),
        &[(422, "/steps/0/config/input", "only in the step of a map")],
    );
    check(
        with("map", json!({"items": "item", "workflow": "w"})),
        &[(422, "/steps/0/config/items", "only in the step of a map")],
    );
}

#[test]
fn each_type_has_its_rules() {
    let at = "/steps/0/config";
    for (kind, config, pointer, part) in [
        ("http", json!({"url": "example.org"}), "/url", "no URL"),
        (
            "http",
            json!({"url": "ftp://example.org"}),
            "/url",
            "only http",
        ),
        ("http", json!({"url": "http://"}), "/url", "URL"),
        (
            "http",
            json!({"url": "/x/${input.y}"}),
            "/url",
            "begins with",
        ),
        (
            "http",
            json!({"url": "http://x", "method": "FETCH"}),
            "/method",
            "GET, POST",
        ),
        (
            "http",
            json!({"url": "http://x", "headers": {"a b": "x"}}),
            "/headers/a b",
            "no header",
        ),
        (
            "http",
            json!({"url": "http://x", "headers": {"Host": "x"}}),
            "/headers/Host",
            "remove",
        ),
        (
            "http",
            json!({"url": "http://x", "expect_status": [200, 700]}),
            "/expect_status/1",
            "599",
        ),
        (
            "http",
            json!({"url": "http://x", "expect_status": ["2x"]}),
            "/expect_status/0",
            "2xx",
        ),
        (
            "http",
            json!({"url": "http://x", "body": {"a": ["${"]}}),
            "/body/a/0",
            "has no `}`",
        ),
        ("delay", json!({}), "", "either"),
        (
            "delay",
            json!({"duration": 1, "until": "2026-03-01T10:00:00Z"}),
            "",
            "either",
        ),
        ("delay", json!({"duration": -1}), "/duration", "between 0"),
        ("delay", json!({"duration": "P1Y"}), "/duration", "years"),
        (
            "delay",
            json!({"duration": "5 minutes"}),
            "/duration",
            "no duration",
        ),
        ("delay", json!({"until": "noon"}), "/until", "RFC 3339"),
        ("decide", json!({"rules": []}), "/rules", "at least one"),
        ("map", json!({"items": "input"}), "", "either"),
        (
            "map",
            json!({"items": "input", "workflow": "w", "step": {"type": "wait",
                       "config": {"signal": "s"}}}),
            "",
            "either",
        ),
        (
            "map",
            json!({"items": "input", "step": {"type": "map", "config": {"items": "input",
                       "workflow": "w"}}}),
            "/step/type",
            "workflow of its own",
        ),
        (
            "map",
            json!({"items": "input", "workflow": "w", "max_parallel": 1_001}),
            "/max_parallel",
            "1000",
        ),
        (
            "map",
            json!({"items": "[", "workflow": "w"}),
            "/items",
            "compile",
        ),
        ("wait", json!({}), "/signal", "needs the name"),
        ("wait", json!({"signal": "a b"}), "/signal", "letters"),
        (
            "wait",
            json!({"signal": "a", "timeout_ms": 0}),
            "/timeout_ms",
            "between 1",
        ),
        (
            "wait",
            json!({"signal": "a", "on_timeout": "skip"}),
            "/on_timeout",
            "`continue`",
        ),
        (
            "agent",
            json!({"agent": "${input.agent}"}),
            "/agent",
            "without an expression",
        ),
        ("task", json!({"task": ""}), "/task", "must be a name"),
        (
            "workflow",
            json!({"workflow": "w", "version": 0}),
            "/version",
            "between 1",
        ),
        (
            "workflow",
            json!({"workflow": ""}),
            "/workflow",
            "name or id",
        ),
    ] {
        check(
            with(kind, config),
            &[(422, &format!("{at}{pointer}"), part)],
        );
    }
}

#[test]
fn events_have_types_of_their_own() {
    for good in ["order.paid", "com.example.order-paid_2", "urn:x/y"] {
        check(
            with("emit", json!({"type": good, "data": {"n": "${input.n}"}})),
            &[],
        );
    }
    for (wrong, part) in [
        ("stepwell.run.completed", "engine's own"),
        ("StepWell.x", "engine's own"),
        ("", "not empty"),
        ("${input.type}", "without an expression"),
        ("two words", "letters, digits"),
        (".x", "begins with"),
    ] {
        check(
            with("emit", json!({"type": wrong})),
            &[(422, "/steps/0/config/type", part)],
        );
    }
    check(
        with("emit", json!({"data": 1, "id": "x"})),
        &[
            (400, "/steps/0/config", "`type` is missing"),
            (400, "/steps/0/config/id", "unknown"),
        ],
    );
}

#[test]
fn an_approval_asks_for_one_of_its_choices() {
    let good =
        json!({"prompt": "Pay ${input.sum}?", "choices": ["yes", "no"], "approvers": ["ann"]});
    for approval in [json!({}), good] {
        check(with("wait", json!({"approval": approval})), &[]);
    }
    let at = "/steps/0/config/approval";
    check(
        with(
            "wait",
            json!({"approval": {"prompt": "${inputs}", "choices": ["yes"]}}),
        ),
        &[
            (422, &format!("{at}/prompt"), "no variable `inputs`"),
            (422, &format!("{at}/choices"), "from 2 to"),
        ],
    );
    check(
        with(
            "wait",
            json!({"approval": {"choices": ["a", "a"], "approvers": [], "who": 1}}),
        ),
        &[
            (422, &format!("{at}/choices/1"), "occur once"),
            (422, &format!("{at}/approvers"), "from 1 to"),
            (400, &format!("{at}/who"), "unknown"),
        ],
    );
    let ask = |name: &str, config: Value| json!({"name": name, "type": "wait", "config": config});
    check(
        of(json!([
            ask("a", json!({"signal": "s", "approval": {}})),
            ask("b", json!({"signal": "s"})),
        ])),
        &[(422, "/steps/1/config", "signal` of its own")],
    );
}

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

#[test]
fn only_what_a_worker_makes_is_made_elsewhere() {
    let on = |kind: &str, config: Value, queue: &str| {
        let mut document = with(kind, config);
        document["steps"][0]["queue"] = json!(queue);
        document
    };
    check(on("task", json!({"task": "t"}), "gpu.large-2"), &[]);
    check(
        on("task", json!({"task": "t"}), "two words"),
        &[(422, "/steps/0/queue", "1 to 64 letters")],
    );
    check(
        on("transform", json!({"value": 1}), "gpu"),
        &[(422, "/steps/0/queue", "made by a worker")],
    );
    check(with("external", json!({"topic": "press.large"})), &[]);
    check(
        with("external", json!({"topic": "-"})),
        &[(422, "/steps/0/config/topic", "1 to 64 letters")],
    );
    let distributed = |step: Value| {
        with(
            "map",
            json!({"items": "input", "step": step, "distribute": true}),
        )
    };
    let call = json!({"type": "task", "config": {"task": "t"}, "queue": "gpu"});
    check(distributed(call), &[]);
    check(
        distributed(json!({"type": "transform", "config": {"value": 1}})),
        &[(422, "/steps/0/config/distribute", "nothing to distribute")],
    );
    check(
        with(
            "map",
            json!({"items": "input", "workflow": "w", "distribute": true}),
        ),
        &[],
    );
    check(
        with(
            "map",
            json!({"items": "input", "workflow": "w", "distribute": 1}),
        ),
        &[(400, "/steps/0/config/distribute", "a boolean")],
    );
}

#[test]
fn an_input_schema_stands_on_its_own() {
    let check_schema = |schema: Value, expected: &[(u16, &str, &str)]| {
        let mut document = of(json!([step("a")]));
        document["input_schema"] = schema;
        check(document, expected);
    };
    check_schema(json!(true), &[]);
    check_schema(
        json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object",
               "properties": {"n": {"$ref": "#/$defs/n"}}, "$defs": {"n": {"type": "integer"}}}),
        &[],
    );
    check_schema(
        json!({"type": "objekt", "properties": {"a": {"minimum": "1"}}}),
        &[
            (422, "/input_schema/type", "not valid JSON Schema"),
            (
                422,
                "/input_schema/properties/a/minimum",
                "not valid JSON Schema",
            ),
        ],
    );
    check_schema(
        json!({"$schema": "http://json-schema.org/draft-07/schema#"}),
        &[(422, "/input_schema/$schema", "2020-12")],
    );
    for reference in [
        "https://example.org/s.json",
        "file:///etc/passwd",
        "other.json",
        "#/nope",
    ] {
        let found = findings(&json!({"name": "w", "steps": [step("a")],
                                     "input_schema": {"$ref": reference}}));
        assert_eq!(found.len(), 1, "{reference}: {found:?}");
        assert!(found[0].detail.contains("cannot be used"), "{found:?}");
    }
    check_schema(
        json!({"properties": {"a": {"pattern": "(?=x)y"}}}),
        &[(422, "/input_schema/properties/a/pattern", "cannot be used")],
    );
}

#[test]
fn an_input_is_checked_against_its_schema() {
    let mut document = of(json!([step("a")]));
    document["input_schema"] = json!({"type": "object", "required": ["user"],
        "additionalProperties": false,
        "properties": {"user": {"type": "string", "maxLength": 3}, "n": {"type": "integer"}}});
    let (definition, _) = validate(&document).unwrap();
    let plan = Plan::compile(&definition).unwrap();
    let check = |input: Value, expected: &[&str]| {
        let mut pointers: Vec<String> = plan
            .check_input(&input)
            .into_iter()
            .map(|f| f.pointer)
            .collect();
        pointers.sort();
        assert_eq!(pointers, expected, "{input}");
    };
    check(json!({"user": "Ada", "n": 1}), &[]);
    check(
        json!({"user": "secret", "n": "x", "more": 1}),
        &["", "/n", "/user"],
    );
    check(json!({}), &[""]);
    check(json!([]), &[""]);
    let said = plan.check_input(&json!({"user": "secret"}));
    assert!(!said[0].detail.contains("secret"), "{said:?}");
}

#[test]
fn schemas_that_go_round_do_not_overflow() {
    let mut document = of(json!([step("a")]));
    document["input_schema"] = json!({"$ref": "#/$defs/a", "$defs": {
        "a": {"properties": {"next": {"$ref": "#/$defs/a"}}}}});
    let (definition, _) = validate(&document).unwrap();
    let plan = Plan::compile(&definition).unwrap();
    let deep = (0..120).fold(json!({}), |inner, _| json!({"next": inner}));
    assert_eq!(plan.check_input(&deep), []);
    for schema in [
        json!({"$ref": "#"}),
        json!({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}),
        json!({"$dynamicRef": "#x", "$dynamicAnchor": "x"}),
        json!({"allOf": [{"anyOf": [{"$ref": "#"}]}]}),
        json!({"not": {"$ref": "#"}}),
    ] {
        document["input_schema"] = schema;
        if let Ok((definition, _)) = validate(&document) {
            let plan = Plan::compile(&definition).unwrap();
            // The answer does not matter, that there is one does.
            let _ = plan.check_input(&json!({"a": 1}));
        }
    }
}

#[test]
fn what_is_named_outside_is_returned() {
    let (_, references) = validate(&of(json!([
        {"name": "a", "type": "agent", "config": {"agent": "scorer"}},
        {"name": "w", "type": "workflow", "config": {"workflow": "${input.w}"}},
        {"name": "v", "type": "workflow", "config": {"workflow": "child"}},
        {"name": "m", "type": "map", "config": {"items": "input", "workflow": "each"}},
        {"name": "n", "type": "map", "config": {"items": "input",
            "step": {"type": "agent", "config": {"agent": "inner"}}}},
    ])))
    .unwrap();
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect()
    };
    assert_eq!(
        references.agents,
        pairs(&[
            ("/steps/0/config/agent", "scorer"),
            ("/steps/4/config/step/config/agent", "inner"),
        ])
    );
    assert_eq!(
        references.workflows,
        pairs(&[
            ("/steps/2/config/workflow", "child"),
            ("/steps/3/config/workflow", "each"),
        ])
    );
}

#[test]
fn a_stored_definition_is_sound_again() {
    let document = of(
        json!([{"name": "a", "type": "wait", "config": {"signal": "s"},
        "retry": {"max_attempts": 2}}, {"name": "b", "type": "delay", "config": {"duration": 1}}]),
    );
    let (definition, _) = validate(&document).unwrap();
    let stored = serde_json::to_value(&definition).unwrap();
    let (again, _) = validate(&stored).unwrap();
    assert_eq!(definition, again);
    assert_eq!(definition.content_hash(), again.content_hash());
}

/// Any JSON, with the words of definitions in it more often than not.
fn document() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "name",
        "steps",
        "type",
        "config",
        "needs",
        "sequence",
        "a",
        "b",
        "map",
        "agent",
        "delay",
        "items",
        "step",
        "url",
        "rules",
        "when",
        "value",
        "input",
        "${item}",
        "${steps.a.output}",
        "retry",
        "timeout_ms",
        "input_schema",
        "$ref",
        "#",
        "execution_type",
        "async",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..2_000).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        ".{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((word.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

/// Steps that need each other at random, some by number, some async.
fn graph() -> impl Strategy<Value = Value> {
    let step = (
        prop::option::of(prop::collection::vec(0..12_usize, 0..3)),
        prop::option::of(-2..3_i64),
        any::<bool>(),
    );
    (prop::collection::vec(step, 1..12), 0..3_u8).prop_map(|(steps, style)| {
        let steps: Vec<Value> = steps
            .into_iter()
            .enumerate()
            .map(|(n, (needs, sequence, is_async))| {
                let mut step = step_value(n);
                if let (Some(needs), 0 | 2) = (needs, style) {
                    let names: Vec<String> = needs.iter().map(|n| format!("s{n}")).collect();
                    step["needs"] = json!(names);
                }
                if style >= 1 {
                    step["sequence"] = json!(sequence.unwrap_or(0));
                }
                if is_async {
                    step["execution_type"] = json!("async");
                }
                step
            })
            .collect();
        of(json!(steps))
    })
}

fn step_value(n: usize) -> Value {
    step(&format!("s{n}"))
}

proptest! {
    #[test]
    fn any_document_gets_an_answer(document in document()) {
        let _ = validate(&document);
        let _ = validate(&of(json!([document.clone()])));
        let _ = validate(&with("map", document));
    }

    #[test]
    fn any_graph_is_refused_or_sorted(document in graph()) {
        if let Ok((definition, _)) = validate(&document) {
            let plan = Plan::compile(&definition).unwrap();
            assert_eq!(plan.steps.len(), definition.steps.len());
            for (at, step) in plan.steps.iter().enumerate() {
                assert_eq!(plan.step_no(&step.name).map(usize::from), Some(at));
                for &need in &step.needs {
                    assert!(usize::from(need) < at, "{document}");
                    let dependents = &plan.steps[usize::from(need)].dependents;
                    assert!(dependents.iter().any(|&d| usize::from(d) == at));
                }
                for &dependent in &step.dependents {
                    let needs = &plan.steps[usize::from(dependent)].needs;
                    assert!(needs.iter().any(|&n| usize::from(n) == at));
                }
            }
            let names: HashSet<&str> = plan.steps.iter().map(|s| &*s.name).collect();
            assert_eq!(names.len(), plan.steps.len());
        }
    }
}
