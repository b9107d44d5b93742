//! Any document at all.

use std::collections::HashSet;

use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use super::{of, step, with};
use crate::Plan;
use crate::validate::validate;

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
