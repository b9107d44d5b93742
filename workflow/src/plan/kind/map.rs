//! `map`: one step, or one run of another workflow, for each item of a list.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{WORKFLOW, workflow_name};
use crate::limits::{MAP_ITEMS_MAX, PARALLEL_DEFAULT, PARALLEL_MAX};
use crate::plan::site::Site;
use crate::plan::step::makes_attempts;
use crate::plan::{Delivery, Kind, Lane, Map, OnError, PlannedStep, step};

/// Compiles the config of a map; `name` is that of its step.
pub(super) fn compile(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<Map> {
    let items = site.expression_of("items", crate::expression::Kind::List);
    let max_parallel = site.number("max_parallel", 1..=PARALLEL_MAX as u64, "items");
    let tolerated = site.number("tolerated_failures", 0..=MAP_ITEMS_MAX as u64, "items");
    let step = match (site.fields.get("step"), site.has("workflow")) {
        (Some(Value::Object(fields)), false) => {
            let pointer = site.pointer_of("step");
            step::compile(&mut site.at(pointer, fields, true), name)
        }
        (None, true) => workflow_step(site, name),
        (Some(_), false) => None,
        _ => {
            let pointer = site.pointer.clone();
            site.finding_at(pointer, "a map has either a `step` or a `workflow`");
            None
        }
    };
    let mut step = step;
    if site.fields.get("distribute") == Some(&Value::Bool(true))
        && let Some(step) = &mut step
    {
        distribute(site, step);
    }
    let count = |number: Option<u64>| number.and_then(|n| usize::try_from(n).ok());
    Some(Map {
        items: items?,
        step: step?,
        max_parallel: count(max_parallel).unwrap_or(PARALLEL_DEFAULT),
        tolerated_failures: count(tolerated).unwrap_or(0),
    })
}

/// Lets any worker make the items. Runs of another workflow are any worker's already.
fn distribute(site: &mut Site<'_, '_, '_>, step: &mut PlannedStep) {
    if makes_attempts(&step.kind) {
        if step.lane == Lane::Here {
            step.lane = Lane::Shared;
        }
    } else if !matches!(step.kind, Kind::Workflow { .. } | Kind::External { .. }) {
        let detail = format!(
            "items of type `{}` are not made by a worker, so there is nothing to distribute; \
             remove this",
            step.word
        );
        site.finding("distribute", detail);
    }
}

/// Makes the step that `workflow` is short for.
fn workflow_step(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<PlannedStep> {
    let (pointer, fields) = (site.pointer.clone(), site.fields);
    let mut site = site.at(pointer, fields, true);
    let workflow = workflow_name(&mut site)?;
    let pointer = site.pointer_of("workflow");
    let input = site.template_at(&pointer, &json!("${item}"))?;
    Some(PlannedStep {
        name: Arc::clone(name),
        word: WORKFLOW,
        kind: Kind::Workflow {
            workflow,
            version: None,
            input,
            wait: true,
        },
        needs: Vec::new(),
        names_needs: false,
        reads: Vec::new(),
        dependents: Vec::new(),
        when: None,
        retry: None,
        timeout: None,
        on_error: OnError::Fail,
        delivery: Delivery::AtLeastOnce,
        lane: Lane::Here,
        undo: None,
        undoes: None,
    })
}
