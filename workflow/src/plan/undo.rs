//! What runs when a run does not complete: the compensations of its steps, and `on_failure`. They
//! stand in the plan after the steps that make up the workflow.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::ancestors::Ancestors;
use super::kind;
use super::site::Site;
use super::step::{self, Draft, is_name};
use super::{Delivery, Kind, Lane, OnError, PlannedStep, StepNo};
use crate::expression::Sight;
use crate::limits::FAILURE_STEPS_MAX;

/// The name of the step that stands for them all. No step of a definition can be called so.
const ALL: &str = "undo:*";
/// The type of that step.
const WORD: &str = "undo";

/// Types that can run when the run itself is over.
const TYPES: [&str; 7] = [
    "agent",
    "http",
    "webhook",
    "transform",
    "decide",
    "task",
    "emit",
];

/// Compiles the compensation of a step, if it has one.
pub(super) fn compensation<'d>(
    site: &mut Site<'_, '_, 'd>,
    draft: &Draft<'d>,
    number: StepNo,
    ancestors: Option<&Ancestors>,
) -> Option<PlannedStep> {
    let fields = draft.fields.get("compensate")?.as_object()?;
    let pointer = site.pointer_of("compensate");
    site.gathered.sight = Sight::Ending(Some(number));
    let name = Arc::from(format!("undo:{}", draft.name));
    let compiled = ending_step(&mut site.at(pointer, fields, false), &name);
    site.gathered.sight = Sight::Step;
    let uses = std::mem::take(&mut site.gathered.uses);
    let reads = step::reads(&uses);
    for (pointer, used) in uses {
        let finished = used.step == number || ancestors.is_none_or(|a| a.has(number, used.step));
        if !finished {
            let name = used.name;
            let detail = format!("the step `{name}` may not have finished before this one has");
            site.finding_at(pointer, detail);
        }
    }
    Some(PlannedStep {
        reads,
        undoes: Some(number),
        ..compiled?
    })
}

/// Compiles `on_failure`. `names` are all steps that its expressions may name, its own among them,
/// which begin at `first`.
pub(super) fn on_failure<'d>(
    site: &mut Site<'_, '_, 'd>,
    written: &'d [Value],
    first: StepNo,
) -> Vec<PlannedStep> {
    if written.len() > FAILURE_STEPS_MAX {
        let detail = format!(
            "there are {} steps, at most {FAILURE_STEPS_MAX} are allowed; let one of them start a \
             workflow of its own",
            written.len()
        );
        site.finding("on_failure", detail);
        return Vec::new();
    }
    site.gathered.sight = Sight::Ending(None);
    let mut steps = Vec::with_capacity(written.len());
    for (at, (number, step)) in (first..).zip(written).enumerate() {
        let Some(fields) = step.as_object() else {
            continue;
        };
        let pointer = format!("/on_failure/{at}");
        let name = fields.get("name").and_then(Value::as_str).unwrap_or("");
        if fields.get("name").is_some_and(Value::is_string) && !is_name(name) {
            let detail = "a step's name is made of letters, digits, `_` and `-`, and begins with a \
                          letter or `_`";
            site.finding_at(format!("{pointer}/name"), detail);
        }
        let compiled = ending_step(&mut site.at(pointer, fields, false), &Arc::from(name));
        let uses = std::mem::take(&mut site.gathered.uses);
        let reads = step::reads(&uses);
        for (pointer, used) in uses {
            if used.step >= number {
                let detail = format!("the step `{}` has not run yet here", used.name);
                site.finding_at(pointer, detail);
            }
        }
        steps.extend(compiled.map(|step| PlannedStep { reads, ..step }));
    }
    site.gathered.sight = Sight::Step;
    steps
}

fn ending_step(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<PlannedStep> {
    let word = site.text("type")?;
    if kind::is_known(word) && !TYPES.contains(&word) {
        let detail = format!(
            "a step of type `{word}` cannot run once the run has failed; there are {}",
            TYPES.join(", ")
        );
        site.finding("type", detail);
        return None;
    }
    let compiled = step::compile(site, name)?;
    Some(PlannedStep {
        // Whatever becomes of it, the next one runs.
        on_error: OnError::Continue,
        ..compiled
    })
}

/// Returns the names of `on_failure`, and those that are taken twice.
pub(super) fn names<'d>(
    written: &'d [Value],
    steps: &HashMap<&'d str, StepNo>,
    first: StepNo,
) -> (HashMap<&'d str, StepNo>, Vec<usize>) {
    let mut names = steps.clone();
    let mut twice = Vec::new();
    for (at, (number, step)) in (first..).zip(written).enumerate() {
        let name = |fields: &'d Map<String, Value>| fields.get("name").and_then(Value::as_str);
        let Some(name) = step.as_object().and_then(name).filter(|n| !n.is_empty()) else {
            continue;
        };
        if names.contains_key(name) {
            twice.push(at);
        } else {
            names.insert(name, number);
        }
    }
    (names, twice)
}

/// Puts what runs when the run does not complete after the steps of the workflow.
pub(super) fn append(
    steps: &mut Vec<PlannedStep>,
    mut compensations: Vec<PlannedStep>,
    on_failure: Vec<PlannedStep>,
) {
    if compensations.is_empty() && on_failure.is_empty() {
        return;
    }
    steps.push(PlannedStep {
        names_needs: false,
        reads: Vec::new(),
        name: ALL.into(),
        word: WORD,
        kind: Kind::Undo,
        needs: Vec::new(),
        dependents: Vec::new(),
        when: None,
        retry: None,
        timeout: None,
        on_error: OnError::Continue,
        delivery: Delivery::AtLeastOnce,
        lane: Lane::Here,
        undo: None,
        undoes: None,
    });
    compensations.sort_by_key(|step| step.undoes);
    for step in compensations {
        let place = StepNo::try_from(steps.len()).ok();
        if let Some(of) = step.undoes {
            steps[usize::from(of)].undo = place;
        }
        steps.push(step);
    }
    steps.extend(on_failure);
}
