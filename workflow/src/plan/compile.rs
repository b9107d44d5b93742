//! From a document to a plan. Goes on after a finding for as long as something can be read.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::ancestors::ancestors;
use super::order::{Order, order};
use super::site::{Gathered, Site};
use super::step::{self, Draft};
use super::{Plan, PlannedStep, StepNo, approval, concurrency, undo};
use crate::expression::Sight;
use crate::limits::{
    DEFINITION_BYTES_MAX, PARALLEL_DEFAULT, PARALLEL_MAX, PARSE_STACK_BYTES, STEPS_MAX,
    TITLE_CHARS_MAX,
};
use crate::told::Told;
use crate::validate::{Finding, InputSchema, References};

/// Compiles a document. There is a plan if nothing is wrong.
pub(crate) fn compile(document: &Value) -> (Option<Plan>, References, Told<Finding>) {
    // One large stack for all the expressions, instead of one for each.
    stacker::maybe_grow(PARSE_STACK_BYTES, PARSE_STACK_BYTES * 2, || {
        compile_document(document)
    })
}

fn compile_document(document: &Value) -> (Option<Plan>, References, Told<Finding>) {
    let Some(fields) = document.as_object() else {
        return (None, References::default(), Told::new());
    };
    let mut findings = Told::new();
    let written: &[Value] = fields
        .get("steps")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice);
    if let Some(finding) = too_large(document) {
        return (None, References::default(), vec![finding].into());
    }

    let drafts: Vec<Draft<'_>> = written
        .iter()
        .enumerate()
        .filter_map(|(at, step)| Draft::read(at, step, &mut findings))
        .collect();
    let is_whole = drafts.len() == written.len();
    find_duplicates(&drafts, &mut findings);
    let order = order(&drafts, &mut findings);
    let numbers = match &order {
        Some(order) => order.numbers(),
        None => (0..StepNo::MAX).take(drafts.len()).collect(),
    };
    let steps: HashMap<&str, StepNo> = drafts
        .iter()
        .zip(&numbers)
        .rev()
        .map(|(draft, number)| (draft.name, *number))
        .collect();

    let mut gathered = Gathered {
        steps: &steps,
        findings,
        references: References::default(),
        uses: Vec::new(),
        sight: Sight::Step,
    };
    let mut compensations = Vec::new();
    let mut compiled: Vec<Option<PlannedStep>> = Vec::with_capacity(drafts.len());
    let ancestors = order.as_ref().map(ancestors);
    for (at, draft) in drafts.iter().enumerate() {
        let mut site = Site {
            gathered: &mut gathered,
            fields: draft.fields,
            pointer: draft.pointer.clone(),
            item: false,
        };
        if site.gathered.findings.is_over() {
            break;
        }
        compiled.push(step::compile(&mut site, &Arc::from(draft.name)));
        let uses = std::mem::take(&mut site.gathered.uses);
        compensations.extend(undo::compensation(
            &mut site,
            draft,
            numbers[at],
            ancestors.as_ref(),
        ));
        if let Some(Some(step)) = compiled.last_mut() {
            step.names_needs = draft.needs.is_some();
            step.reads = step::reads(&uses);
        }
        let Some(ancestors) = &ancestors else {
            continue;
        };
        for (pointer, used) in uses {
            if usize::from(used.step) == usize::from(numbers[at]) {
                let detail = "a step cannot use its own result".to_owned();
                gathered.findings.push(Finding::rule(pointer, detail));
            } else if !ancestors.has(numbers[at], used.step) {
                let name = &used.name;
                gathered.findings.push(Finding::rule(
                    pointer,
                    format!(
                        "the step `{name}` may not have finished here; add it to `needs`, or put \
                         it before this step"
                    ),
                ));
            }
        }
    }
    find_shared_signals(&drafts, &compiled, &mut gathered.findings);
    let frame = frame(&mut gathered, fields);
    let written: &[Value] = fields
        .get("on_failure")
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice);
    let first = StepNo::try_from(drafts.len() + 1 + compensations.len()).unwrap_or(StepNo::MAX);
    let (names, twice) = undo::names(written, &steps, first);
    for at in twice {
        let detail = "another step has this name";
        let pointer = format!("/on_failure/{at}/name");
        gathered.findings.push(Finding::rule(pointer, detail));
    }
    let mut gathered = Gathered {
        steps: &names,
        ..gathered
    };
    let mut site = Site {
        gathered: &mut gathered,
        fields,
        pointer: String::new(),
        item: false,
    };
    let on_failure = undo::on_failure(&mut site, written, first);
    let Gathered {
        findings,
        references,
        ..
    } = gathered;
    let compiled: Option<Vec<PlannedStep>> = compiled.into_iter().collect();
    let plan = match (compiled, order) {
        (Some(steps), Some(order)) if findings.is_empty() && is_whole => {
            let mut steps = arrange(steps, &order, &numbers);
            let forward = steps.len();
            undo::append(&mut steps, compensations, on_failure);
            Some(Plan {
                steps,
                forward,
                ..frame
            })
        }
        _ => None,
    };
    (plan, references, findings)
}

/// Compiles all but the steps.
fn frame(gathered: &mut Gathered<'_>, fields: &Map<String, Value>) -> Plan {
    let mut site = Site {
        gathered,
        fields,
        pointer: String::new(),
        item: false,
    };
    let concurrency = concurrency::compile(&mut site);
    let name = site.text("name").unwrap_or_default();
    let chars = name.chars().count();
    if fields.get("name").is_some_and(Value::is_string)
        && (name.trim().is_empty() || chars > TITLE_CHARS_MAX)
    {
        site.finding(
            "name",
            format!("a workflow's name has 1 to {TITLE_CHARS_MAX} characters"),
        );
    }
    if fields
        .get("steps")
        .is_some_and(|steps| steps == &Value::Array(Vec::new()))
    {
        site.finding("steps", "a workflow needs at least one step");
    }
    let output = site.template("output");
    let timeout = site.millis("timeout_ms");
    let max_parallel = site.number("max_parallel", 1..=PARALLEL_MAX as u64, "attempts");
    let input_schema = fields
        .get("input_schema")
        .filter(|schema| schema.is_object() || schema.is_boolean())
        .and_then(|schema| {
            InputSchema::compile(schema, "/input_schema")
                .map_err(|findings| site.gathered.findings.append(findings))
                .ok()
        });
    Plan {
        name: name.into(),
        steps: Vec::new(),
        forward: 0,
        concurrency,
        input_schema,
        output,
        timeout,
        max_parallel: max_parallel
            .and_then(|n| usize::try_from(n).ok())
            .unwrap_or(PARALLEL_DEFAULT),
    }
}

/// Says why a document is too large to be looked at any closer.
pub(crate) fn too_large(document: &Value) -> Option<Finding> {
    let fields = document.as_object()?;
    let steps = fields.get("steps").and_then(Value::as_array);
    let steps = steps.map_or(0, Vec::len);
    if steps > STEPS_MAX {
        return Some(Finding::rule(
            "/steps",
            format!(
                "there are {steps} steps, at most {STEPS_MAX} are allowed; move some into a \
                 workflow of their own"
            ),
        ));
    }
    let bytes = serde_json::to_vec(document).map_or(usize::MAX, |json| json.len());
    (bytes > DEFINITION_BYTES_MAX && !fields.is_empty()).then(|| {
        Finding::rule(
            "",
            format!(
                "the definition has {bytes} bytes, at most {DEFINITION_BYTES_MAX} are allowed; \
                 large data belongs into the input"
            ),
        )
    })
}

fn find_duplicates(drafts: &[Draft<'_>], findings: &mut Told<Finding>) {
    let mut first: HashMap<&str, &str> = HashMap::new();
    for draft in drafts.iter().filter(|draft| !draft.name.is_empty()) {
        match first.get(draft.name) {
            Some(other) => findings.push(Finding::rule(
                format!("{}/name", draft.pointer),
                format!("the name `{}` is taken by {other}", draft.name),
            )),
            None => {
                first.insert(draft.name, &draft.pointer);
            }
        }
    }
}

/// The answer to an approval must not go to a step that takes any signal, nor the other way round.
fn find_shared_signals(
    drafts: &[Draft<'_>],
    compiled: &[Option<PlannedStep>],
    findings: &mut Told<Finding>,
) {
    let mut asked: HashMap<&str, (&str, bool)> = HashMap::new();
    for (draft, step) in drafts.iter().zip(compiled) {
        let kind = step.as_ref().map(|step| &step.kind);
        let Some((signal, asks)) = kind.and_then(approval::signal_of) else {
            continue;
        };
        match asked.get(signal) {
            Some((other, other_asks)) if asks || *other_asks => findings.push(Finding::rule(
                format!("{}/config", draft.pointer),
                format!(
                    "`{other}` waits for the signal `{signal}` as well; an approval needs a \
                     `signal` of its own"
                ),
            )),
            _ => {
                asked.insert(signal, (draft.name, asks));
            }
        }
    }
}

/// Puts the steps in order and ties them together.
fn arrange(steps: Vec<PlannedStep>, order: &Order, numbers: &[StepNo]) -> Vec<PlannedStep> {
    let mut sorted: Vec<(StepNo, PlannedStep)> = steps
        .into_iter()
        .enumerate()
        .map(|(at, mut step)| {
            step.needs = order.needs[at].iter().map(|&need| numbers[need]).collect();
            step.needs.sort_unstable();
            (numbers[at], step)
        })
        .collect();
    sorted.sort_by_key(|(number, _)| *number);
    let mut steps: Vec<PlannedStep> = sorted.into_iter().map(|(_, step)| step).collect();
    for at in 0..steps.len() {
        for need in steps[at].needs.clone() {
            if let Ok(number) = StepNo::try_from(at) {
                steps[usize::from(need)].dependents.push(number);
            }
        }
    }
    steps
}
