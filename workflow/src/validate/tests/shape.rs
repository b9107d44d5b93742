//! Shapes, and rules of one step.

use serde_json::{Value, json};

use super::{check, of, step, with};

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
