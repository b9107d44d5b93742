//! Input schemas, names from outside, and what is stored.

use serde_json::{Value, json};

use super::{check, findings, of, step};
use crate::Plan;
use crate::validate::validate;

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
    assert!(plan.check_input(&deep).is_empty());
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
