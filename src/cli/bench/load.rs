//! What a measurement works on: a workflow of its own, on a queue of its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;
use serde_json::value::RawValue;
use stepwell::queue::clock;
use stepwell::queue::workflow::{NewWorkflow, PlannedVersion, Secrets, WorkflowText};
use stepwell::queue::{Actor, NewRun, Store};
use stepwell::workflow::validate::validate;

pub(super) const ACTOR: &str = "bench";
/// The function that the steps call.
pub(super) const TASK: &str = "noop";

/// Who the audit says it was.
pub(super) fn actor() -> Actor {
    Actor {
        name: ACTOR.to_owned(),
        ..Actor::default()
    }
}

/// Makes the workflow, under a name that nobody else has; its queue has the same.
pub(super) async fn workflow(store: &Store, steps: u32) -> anyhow::Result<PlannedVersion> {
    store.set_clock().await?;
    let id = clock::id();
    let slug = format!("bench-{}", id.simple());
    let steps: Vec<_> = (1..=steps)
        .map(|n| json!({"name": format!("s{n}"), "type": "task", "config": {"task": TASK}}))
        .collect();
    let document = json!({"name": "Measurement", "steps": steps});
    let (definition, _) = validate(&document)?;
    let text = WorkflowText {
        name: definition.name.clone(),
        description: None,
        active: Some(true),
        labels: BTreeMap::new(),
        definition: RawValue::from_string(document.to_string())?,
        content_hash: definition.content_hash(),
        secrets: Secrets::default(),
        agents: Vec::new(),
    };
    let new = NewWorkflow {
        id,
        slug: slug.clone(),
        text,
        actor: actor(),
        created_at: clock::now(),
        idempotency: None,
    };
    store.create_workflow(&new).await?;
    let planned = store.resolve(&slug, None).await?;
    planned.context("the workflow of the measurement is gone")
}

/// A run of it; `awaited` when somebody waits for its end.
pub(super) fn new_run(planned: &PlannedVersion, awaited: bool) -> NewRun {
    let nothing = Arc::from(RawValue::NULL.to_owned());
    NewRun {
        queue: Arc::clone(&planned.workflow_name),
        awaited,
        ..NewRun::of(planned, nothing, actor())
    }
}
