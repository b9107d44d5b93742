//! What each type of step asks for.

use serde_json::{Value, json};

use super::{check, of, with};

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
