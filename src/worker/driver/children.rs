//! Child runs: a workflow step's child is written in the same commit as the step that waits for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::Utc;
use serde_json::Value;
use serde_json::value::to_raw_value;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_queue::{Actor, NewRun};
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{Failure, StepKey};
use uuid::Uuid;

use super::Driver;

/// A child that `advance` asked for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) key: StepKey,
    pub(crate) run_id: Uuid,
    pub(crate) workflow: String,
    pub(crate) version: Option<i32>,
    pub(crate) input: Arc<Value>,
    pub(crate) wait: bool,
}

/// Findings of an input check that are quoted in a failure: the first ones tell enough.
const FINDINGS_QUOTED: usize = 3;

impl Driver {
    /// Checks what a child needs and makes the run that is to be; the error says why it cannot be.
    pub(crate) async fn prepare(&self, wanted: &Wanted) -> Result<NewRun, Failure> {
        let find = || self.context.store.resolve(&wanted.workflow, wanted.version);
        let version = sound(wanted, self.context.read(find).await)?;
        self.new_run(wanted, &version)
    }

    fn new_run(&self, wanted: &Wanted, version: &PlannedVersion) -> Result<NewRun, Failure> {
        let header = &self.state.header;
        let input = to_raw_value(&*wanted.input)
            .map_err(|e| Failure::fatal("child_input", e.to_string()))?;
        let parent = wanted.wait.then_some(Parent {
            run_id: header.id,
            key: wanted.key,
            generation: header.generation,
        });
        Ok(NewRun {
            id: wanted.run_id,
            workflow_id: version.workflow_id,
            workflow_name: Arc::clone(&version.workflow_name),
            version: version.version,
            steps_total: i32::try_from(version.plan.steps.len()).unwrap_or(i32::MAX),
            input: Arc::from(input),
            queue: Arc::clone(&self.queue),
            priority: 0,
            run_at: None,
            timeout_ms: None,
            labels: BTreeMap::new(),
            dedupe_key: None,
            parent,
            awaited: false,
            actor: Actor {
                name: format!("run:{}", header.id),
                request_id: Some(self.origin.request_id.clone()),
                traceparent: self.origin.traceparent.clone(),
            },
            created_at: Utc::now(),
            idempotency: None,
        })
    }
}

/// Checks that the workflow can be run with this input.
fn sound(
    wanted: &Wanted,
    found: Result<Option<PlannedVersion>, stepwell_queue::Error>,
) -> Result<PlannedVersion, Failure> {
    let name = &wanted.workflow;
    let unknown = |what: String| Err(Failure::fatal("unknown_workflow", what));
    let version = match (found, wanted.version) {
        (Ok(Some(version)), _) => version,
        (Ok(None), Some(n)) => {
            return unknown(format!("there is no version {n} of a workflow `{name}`"));
        }
        (Ok(None), None) => return unknown(format!("there is no workflow `{name}`")),
        (Err(error), _) => {
            return unknown(format!("the workflow `{name}` cannot be read: {error}"));
        }
    };
    if !version.active {
        return unknown(format!("the workflow `{name}` is inactive"));
    }
    let findings = version.plan.check_input(&wanted.input);
    if findings.is_empty() {
        return Ok(version);
    }
    let told: Vec<String> = findings
        .iter()
        .take(FINDINGS_QUOTED)
        .map(|f| format!("{}: {}", f.pointer, f.detail))
        .collect();
    Err(Failure::fatal(
        "child_input",
        format!(
            "the input does not fit the workflow `{name}`: {}",
            told.join("; ")
        ),
    ))
}
