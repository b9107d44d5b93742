//! Which step waits for which, and what it may use.

use serde_json::{Value, json};

use super::{check, of, step, with};

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
