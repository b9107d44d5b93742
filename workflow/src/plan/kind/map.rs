//! `map`: one step, or one run of another workflow, for each item of a list.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{WORKFLOW, workflow_name};
use crate::limits::{MAP_ITEMS_MAX, PARALLEL_DEFAULT, PARALLEL_MAX};
use crate::plan::site::Site;
use crate::plan::{Delivery, Kind, Map, OnError, PlannedStep, step};

/// Compiles the config of a map; `name` is that of its step.
pub(super) fn compile(site: &mut Site<'_, '_, '_>, name: &Arc<str>) -> Option<Map> {
    site.unavailable(&["distribute"]);
    let items = site.expression("items");
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
    let count = |number: Option<u64>| number.and_then(|n| usize::try_from(n).ok());
    Some(Map {
        items: items?,
        step: step?,
        max_parallel: count(max_parallel).unwrap_or(PARALLEL_DEFAULT),
        tolerated_failures: count(tolerated).unwrap_or(0),
    })
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
        undo: None,
        undoes: None,
    })
}
