//! Every test goes through one run: some input, three steps, one item.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a failed unwrap is a failed test, and tables of cases read better by value"
)]

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Expression, Names, Scope, Sight, Template};
use crate::state::{RunState, StepState};
use crate::{Failure, Plan, RunHeader, RunStatus, StepStatus};

fn now() -> DateTime<Utc> {
    "2026-03-01T10:00:00Z".parse().unwrap()
}

fn step(status: StepStatus, output: Option<Value>, error: Option<Failure>) -> StepState {
    StepState {
        status,
        attempt: 1,
        output: output.map(Arc::new),
        error,
        stored: true,
        ..StepState::new(1, 1)
    }
}

fn run(input: Value) -> RunState {
    let header = RunHeader {
        id: Uuid::nil(),
        workflow_id: Uuid::nil(),
        workflow_name: "orders".into(),
        version: 3,
        generation: 1,
        status: RunStatus::Running,
        input: Arc::new(input),
        created_at: now(),
        started_at: None,
        timeout_ms: None,
        sequence: 0,
        paused: false,
        parent: None,
    };
    let mut run = RunState::restore(&plan(), header, Vec::new());
    run.steps = vec![
        step(
            StepStatus::Completed,
            Some(json!({"total": 12, "tags": ["a", "b"]})),
            None,
        ),
        step(StepStatus::Completed, Some(json!([1, 2, 3])), None),
        step(
            StepStatus::Failed,
            None,
            Some(Failure::fatal("http_status", "answered 404")),
        ),
    ];
    run
}

fn plan() -> Plan {
    Plan {
        name: "orders".into(),
        steps: Vec::new(),
        forward: 0,
        concurrency: None,
        input_schema: None,
        output: None,
        timeout: None,
        max_parallel: 1,
    }
}

fn input() -> Value {
    json!({
        "user": {"name": "Ada", "age": 36, "a.b": 1},
        "limit": 42.0, "count": 42, "big": 18_446_744_073_709_551_615_u64,
        "none": null, "people": [{"n": 1}, {"n": 2}, {"n": 3}], "text": "x", "flag": true,
    })
}

fn names() -> HashMap<&'static str, u16> {
    HashMap::from([("load", 0), ("my-list", 1), ("notify", 2)])
}

/// Compiles and renders a template in a map's step over `{"id": 7, "tags": ["t"]}`. What is
/// wrong with the template stands after `compile: `, what goes wrong in it after `error: `.
fn outcome(template: &Value) -> Value {
    let steps = names();
    let compiled = Template::compile(
        template,
        Names {
            steps: &steps,
            item: true,
            sight: Sight::Step,
        },
    );
    let template = match compiled {
        Ok(template) => template,
        Err(problems) => {
            let problems: Vec<String> = problems
                .into_iter()
                .map(|(pointer, problem)| format!("{pointer}{problem}"))
                .collect();
            return json!(format!("compile: {}", problems.join("; ")));
        }
    };
    let item = json!({"id": 7, "tags": ["t"]});
    let (run, plan) = (run(input()), plan());
    let scope = Scope {
        run: &run,
        plan: &plan,
        item: Some((&item, 4)),
    };
    let first = template.render(scope);
    // What was kept by the first rendering changes nothing.
    assert_eq!(first, template.render(scope));
    first.unwrap_or_else(|error| json!(format!("error: {error}")))
}

#[track_caller]
fn check(template: Value, expected: Value) {
    assert_eq!(outcome(&template), expected, "{template}");
}

/// Checks that the outcome is a text that contains `expected`.
#[track_caller]
fn check_says(template: &str, expected: &str) {
    let outcome = outcome(&json!(template));
    let said = outcome.as_str().unwrap_or_default();
    assert!(
        said.contains(expected),
        "{template}\n gave {outcome}\n not  {expected}"
    );
}

#[test]
fn templates_keep_types_and_fill_texts() {
    check(json!("plain"), json!("plain"));
    check(
        json!({"a": [1, null, "$${x}"]}),
        json!({"a": [1, null, "${x}"]}),
    );
    check(json!("${input.user}"), input()["user"].clone());
    check(json!("${input.count}"), json!(42));
    check(json!("${input.limit}"), json!(42.0));
    check(json!("${input.big}"), json!(18_446_744_073_709_551_615_u64));
    check(
        json!("Dear ${input.user.name}, ${input.count} of ${input.people[0]} ${input.none}"),
        json!("Dear Ada, 42 of {\"n\":1} null"),
    );
    check(
        json!({"all": ["${item.id}", {"i": "${index}"}], "k": "$"}),
        json!({"all": [7, {"i": 4}], "k": "$"}),
    );
    check(
        json!(["a", "${item}"]),
        json!(["a", {"id": 7, "tags": ["t"]}]),
    );
}

#[test]
fn steps_and_the_run_are_visible() {
    check(json!("${steps.load.output.total}"), json!(12));
    check(json!("${steps['my-list'].output}"), json!([1, 2, 3]));
    check(json!("${steps[\"my-list\"].output[2]}"), json!(3));
    check(json!("${steps['my-list'].output.size() + 1}"), json!(4));
    check(
        json!("${steps['my-list']['output'].map(x, x * 2)}"),
        json!([2, 4, 6]),
    );
    check(json!("${steps.notify.status}"), json!("failed"));
    check(json!("${steps.notify.output}"), json!(null));
    check(json!("${steps.notify.error.type}"), json!("http_status"));
    check(json!("${steps.load.error}"), json!(null));
    check(
        json!("${[has(steps.load.error), has(steps.notify.error), has(steps.load.output)]}"),
        json!([false, true, true]),
    );
    check(json!("${has(steps.load.output.nothing)}"), json!(false));
    check(
        json!("${steps.load}"),
        json!({"output": {"total": 12, "tags": ["a", "b"]}, "status": "completed", "error": null}),
    );
    check(
        json!("${run.workflow + ' ' + string(run.version)}"),
        json!("orders 3"),
    );
    check(json!("${run.created_at}"), json!("2026-03-01T10:00:00Z"));
    check(
        json!("${run.created_at + duration('90m')}"),
        json!("2026-03-01T11:30:00Z"),
    );
    check(json!("${run.started_at == null}"), json!(true));
    check(json!("${run}")["id"].clone(), json!(null));
    check(json!("${duration('90m')}"), json!("5400s"));
}

#[test]
fn whole_and_broken_numbers_mix() {
    check(json!("${input.count == input.limit}"), json!(true));
    check(
        json!("${input.count > 41.5 && input.limit < 43}"),
        json!(true),
    );
    check(json!("${input.count * 1.5}"), json!(63.0));
    check(json!("${input.limit * 2 - 1}"), json!(83.0));
    check(json!("${7 / 2}"), json!(3));
    check(json!("${7 / 2.0}"), json!(3.5));
    check(json!("${input.count in [42.0]}"), json!(true));
    check_says(
        "${input.text + 1}",
        "`+` cannot be applied to string and int",
    );
    check_says("${1 / 0}", "divides by zero");
    check_says("${1.0 / 0.0}", "not finite");
    check_says("${9223372036854775807 + input.count}", "too large");
}

#[test]
fn loops_go_through_lists_and_ordered_keys() {
    check(
        json!("${input.people.filter(p, p.n > 1).map(p, p.n)}"),
        json!([2, 3]),
    );
    check(
        json!("${input.people.map(item, item.n + size(steps.load.output.tags))}"),
        json!([3, 4, 5]),
    );
    check(json!("${input.people.all(p, p.n > 0)}"), json!(true));
    check(json!("${input.people.exists(p, p.n == 2)}"), json!(true));
    check(
        json!("${input.people.exists_one(p, p.n == 2)}"),
        json!(true),
    );
    check(
        json!("${input.user.map(k, k)}"),
        json!(["a.b", "age", "name"]),
    );
    check(
        json!("${[1, 2].map(a, [10, 20].map(b, a + b))}"),
        json!([[11, 21], [12, 22]]),
    );
    check(json!("${input.?nothing.orValue(5)}"), json!(5));
    check(
        json!("${input.?user.?age.optMap(a, a + 1).orValue(0)}"),
        json!(37),
    );
    check(json!("${input.user['a.b'] + 0}"), json!(1));
    check(json!("${'A1'.matches('[A-Z][0-9]')}"), json!(true));
    check(
        json!("${['a', 'b1'].filter(x, x.matches('^[a-z]$'))}"),
        json!(["a"]),
    );
    check(json!("${type(input.count) == int}"), json!(true));
    check(
        json!("${{'a': input.count, 'b': [input.text]}}"),
        json!({"a": 42, "b": ["x"]}),
    );
}

#[test]
fn what_cannot_be_evaluated_says_why() {
    check_says(
        "${input.user.nome}",
        "error: `${input.user.nome}`: there is no key `nome`",
    );
    check_says("${input.text.x}", "a string has no key `x`");
    check_says("${input.people[9]}", "no element 9");
    check_says("${input.nope + 1}", "there is no key `nope`");
    check_says("${input.people[9].n + 1}", "no element 9");
    check_says("${input.none.x + 1}", "cannot be applied to null");
    check_says(
        "${input.text < 1}",
        "`<` cannot be applied to string and int",
    );
    check_says("${size(1)}", "cannot be applied to int");
    check_says("${int('x')}", "`int`");
}

#[test]
fn what_does_not_compile_says_why() {
    check_says("${}", "compile: the expression is empty");
    check_says("a ${b", "has no `}`");
    check_says("${input.}", "does not compile");
    check_says("${name}", "there is no variable `name`");
    check_says("${load.output}", "write `steps.load.output`");
    check_says("${steps.lod.output}", "there is no step `lod`");
    check_says("${steps.load.total}", "its result is in `output.total`");
    check_says("${steps}", "name one step");
    check_says("${steps[input.text].output}", "name one step");
    check_says("${frob(input)}", "there is no function `frob`");
    check_says("${contains('a', 'b')}", "is called on a value");
    check_says("${input.x.timestamp()}", "is called as `timestamp(x)`");
    check_says("${input.map(x)}", "other arguments");
    check_says(
        "${input.people.filter(p, q.n > 1)}",
        "there is no variable `q`",
    );
    check_says("${Foo{a: 1}}", "there is no type `Foo`");
    check_says("${a} ${b}", "`a`");
    check_says("${a} ${b}", "`b`");
    check(
        json!({"x": ["${a}"]}),
        json!(
            "compile: /x/0there is no variable `a`; there are `input`, `steps`, `run`, and in a \
               map `item` and `index`"
        ),
    );
}

#[test]
fn an_item_is_seen_in_a_map_only() {
    let steps = names();
    let outside = Names {
        steps: &steps,
        item: false,
        sight: Sight::Step,
    };
    for source in ["item", "index + 1", "item.x == 1"] {
        let problems = Expression::compile(source, outside).unwrap_err();
        assert!(
            problems[0].contains("only in the step of a map"),
            "{problems:?}"
        );
    }
    assert!(Expression::compile("[1].map(item, item)", outside).is_ok());
}

#[test]
fn conditions_may_be_bare_and_must_be_boolean() {
    let (run, plan, steps) = (run(input()), plan(), names());
    let scope = Scope {
        run: &run,
        plan: &plan,
        item: None,
    };
    let holds = |source: &str| {
        let names = Names {
            steps: &steps,
            item: false,
            sight: Sight::Step,
        };
        Expression::compile_bare(source, names)
            .unwrap()
            .holds(scope)
    };
    assert_eq!(holds("input.flag"), Ok(true));
    assert_eq!(holds(" ${ input.count > 50 } "), Ok(false));
    assert!(
        holds("input.text")
            .unwrap_err()
            .contains("it gives a string")
    );
}

#[test]
fn a_changed_output_is_seen_without_telling_the_cache() {
    let (mut run, plan, steps) = (run(input()), plan(), names());
    let names = Names {
        steps: &steps,
        item: false,
        sight: Sight::Step,
    };
    let total = Expression::compile("steps.load.output.tags.size()", names).unwrap();
    let size = |run: &RunState| {
        total.evaluate(Scope {
            run,
            plan: &plan,
            item: None,
        })
    };
    assert_eq!(size(&run), Ok(json!(2)));
    run.steps[0].output = Some(Arc::new(json!({"tags": [1, 2, 3]})));
    assert_eq!(size(&run), Ok(json!(3)));
    run.cache.forget(0);
    assert_eq!(size(&run), Ok(json!(3)));
}

#[test]
fn hostile_expressions_end_in_an_error() {
    let nested =
        |open: &str, close: &str, n: usize| format!("${{{}1{}}}", open.repeat(n), close.repeat(n));
    check_says(&nested("(", ")", 2_000), "nests brackets");
    check_says(&nested("[", "]", 2_000), "nests brackets");
    check(json!(nested("(", ")", 40)), json!(1));
    check_says(&nested("!", "", 4_000), "");
    check_says(&format!("${{1{}}}", "+1".repeat(4_000)), "characters");
    for chain in [
        "+1", ".a", "[0]", "&&true", "?1:1", " in [1]", "<1", "==1", "||a",
    ] {
        let text = format!("${{input{}}}", chain.repeat(4_000 / chain.len()));
        let answer = outcome(&json!(text));
        let answer = answer.as_str().unwrap();
        assert!(
            answer.starts_with("compile:") || answer.starts_with("error:"),
            "{chain}: {answer}"
        );
        // The longest that is let through must also evaluate.
        for length in [8, 31, 63, 100, 127] {
            outcome(&json!(format!("${{input{}}}", chain.repeat(length))));
        }
    }
    for (open, close) in [
        ("[", "]"),
        ("{'a':", "}"),
        ("dyn(", ")"),
        ("[1].map(x,", ")"),
        ("[1,2].all(x,", ")"),
        ("optional.of(", ")"),
        ("(true?", ":1)"),
        ("-(", ")"),
        ("!(", ")"),
    ] {
        for n in [2, 10, 30, 60, 64] {
            outcome(&json!(nested(open, close, n)));
        }
    }
    check_says("${[1].map(a, [1].map(b, [1].map(c, 1)))}", "loops");
}

#[test]
fn an_evaluation_has_a_budget() {
    let (mut run, plan, steps) = (run(json!(null)), plan(), names());
    run.header.input = Arc::new(json!({
        "long": (0..20_000).collect::<Vec<_>>(), "text": "x".repeat(1 << 20),
        "some": (0..300).collect::<Vec<_>>(),
    }));
    let check = |source: &str, expected: Result<Value, &str>| {
        let names = Names {
            steps: &steps,
            item: false,
            sight: Sight::Step,
        };
        let scope = Scope {
            run: &run,
            plan: &plan,
            item: None,
        };
        let result = Expression::compile(source, names).unwrap().evaluate(scope);
        match (&result, &expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{source}"),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{source}: {error}"),
            _ => panic!("{source}: {result:?}"),
        }
    };
    let spent = Err("too much data");
    check("size(input.long.filter(x, x % 2 == 0))", Ok(json!(10_000)));
    check(
        "size(input.some.map(x, input.some.exists(y, y == x)))",
        Ok(json!(300)),
    );
    check(
        "size(input.long.map(x, input.long.exists(y, y == -1)))",
        spent.clone(),
    );
    check(
        "input.long.all(x, input.long.all(y, true) || true)",
        spent.clone(),
    );
    check("input.long.filter(x, x in input.long)", spent.clone());
    check("input.long.map(x, input.text)", spent.clone());
    check("input.long.map(x, input.text == input.text)", spent.clone());
    // One pattern is compiled once; a new one for each turn is paid for each time.
    check(
        "size(input.long.filter(x, string(x).matches('^1{1,9}$')))",
        Ok(json!(5)),
    );
    check(
        "input.long.filter(x, 'a'.matches(string(x) + '{1,9}'))",
        spent.clone(),
    );
    // Text is paid for by what is looked through, whatever looks through it.
    for look in [
        "input.text.contains(string(x))",
        "input.text.contains(input.text)",
        "input.text.matches('y')",
        "input.text.startsWith(input.text)",
        "input.text.endsWith(input.text)",
        "input.text.size() == x",
        "size(input.text) == x",
        "input.text < input.text",
        "input.text >= input.text",
        "x in [input.text]",
        "input.text in {'a': 1}",
        "string(input.text) == ''",
        "size(bytes(input.text)) == x",
    ] {
        check(&format!("input.some.filter(x, {look})"), spent.clone());
    }
    check(
        "input.some.all(x, input.text.contains('y') || true)",
        spent.clone(),
    );
    check(
        "input.long.map(x, x in {'a': 1})",
        Ok(json!(vec![false; 20_000])),
    );
    check(
        &format!("size(input.text{})", " + input.text".repeat(60)),
        spent.clone(),
    );
    check(&format!("size([{}])", "input.long,".repeat(300)), spent);
}

#[test]
fn values_cannot_nest_ever_deeper() {
    let deep = (0..95).fold(json!(1), |inner, _| json!([inner]));
    let (mut run, plan, steps) = (run(json!(null)), plan(), names());
    run.header.input = Arc::new(deep);
    for (template, fits) in [
        (json!(["${input}"]), true),
        (json!([[[[[["${input}"]]]]]]), false),
        (json!("${[input]}"), true),
        (json!("${[[[[[[input]]]]]]}"), false),
    ] {
        let names = Names {
            steps: &steps,
            item: false,
            sight: Sight::Step,
        };
        let scope = Scope {
            run: &run,
            plan: &plan,
            item: None,
        };
        let result = Template::compile(&template, names).unwrap().render(scope);
        assert_eq!(result.is_ok(), fits, "{template}");
    }
}

/// Text that looks like an expression more often than not.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop_oneof![
        Just("input".to_owned()),
        Just("steps.load.output".to_owned()),
        Just("item".to_owned()),
        "[a-z]{1,3}",
        "[0-9.]{1,4}",
        "[-+*/%<>=!&|?:.,(){}\\[\\]'\"\\\\$@#`u ]{1,3}",
        Just("'é'".to_owned()),
        Just(".map(x, ".to_owned()),
        Just("has(".to_owned()),
        Just("in".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(scrap, 0..12).prop_map(|scraps| scraps.concat())
}

proptest! {
    #[test]
    fn any_text_compiles_or_not_but_never_panics(text in scraps()) {
        outcome(&json!(text));
        outcome(&json!(format!("${{{text}}}")));
    }

    #[test]
    fn text_without_expressions_stays_as_it_is(text in "[^$]{0,40}") {
        assert_eq!(outcome(&json!([text])), json!([text]));
    }
}
