//! Child runs: a workflow step's child is written in the same commit as the step that waits for it.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::to_raw_value;
use stepwell_queue::place::Claim;
use stepwell_queue::workflow::PlannedVersion;
use stepwell_queue::{Actor, NewRun};
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::told::Told;
use stepwell_workflow::validate::Finding;
use stepwell_workflow::{Failure, WantedChild};

use super::{Driver, thinking};
use crate::worker::context;

/// Findings of an input check that are quoted in a failure: the first ones tell enough.
const FINDINGS_QUOTED: usize = 3;

impl Driver {
    /// Checks what a child needs and makes the run that is to be; the error says why it cannot be.
    pub(crate) async fn prepare(&self, wanted: &WantedChild) -> Result<NewRun, Failure> {
        let find = || self.context.store.resolve(&wanted.workflow, wanted.version);
        let found = context::read(find).await;
        let make = || {
            let version = sound(wanted, found)?;
            self.new_run(wanted, &version)
        };
        thinking::by_size(&wanted.input, make).await
    }

    fn new_run(&self, wanted: &WantedChild, version: &PlannedVersion) -> Result<NewRun, Failure> {
        let header = &self.state.header;
        let input = to_raw_value(&*wanted.input)
            .map_err(|e| Failure::fatal("child_input", e.to_string()))?;
        let parent = wanted.wait.then_some(Parent {
            run_id: header.id,
            key: wanted.key,
            generation: header.generation,
        });
        let actor = Actor {
            name: format!("run:{}", header.id),
            request_id: Some(self.origin.request_id.clone()),
            traceparent: Some(self.origin.traceparent()),
        };
        Ok(NewRun {
            id: wanted.run_id,
            queue: Arc::clone(&self.queue),
            place: claim(version, &wanted.input),
            parent,
            ..NewRun::of(version, Arc::from(input), actor)
        })
    }
}

/// Returns the place that a child needs. Where the key cannot be computed, its own driver says so.
fn claim(version: &PlannedVersion, input: &Value) -> Option<Claim> {
    let concurrency = version.plan.concurrency.as_ref()?;
    Some(Claim {
        key: version.plan.concurrency_key(input).ok()?,
        most: i32::try_from(concurrency.limit).unwrap_or(i32::MAX),
        // Nobody is there to be refused: the child waits.
        reject: false,
    })
}

/// Checks that the workflow can be run with this input.
fn sound(
    wanted: &WantedChild,
    found: Result<Option<PlannedVersion>, stepwell_queue::Error>,
) -> Result<PlannedVersion, Failure> {
    let name = &wanted.workflow;
    let unknown = |what: String| Err(Failure::fatal("unknown_workflow", what));
    let version = match (found, wanted.version) {
        (Ok(Some(version)), _) => version,
        (Ok(None), Some(n)) => {
            return unknown(format!(
                "there is no version {n} of a workflow `{name}`; create it and retry the run"
            ));
        }
        (Ok(None), None) => {
            return unknown(format!(
                "there is no workflow `{name}`; create it and retry the run"
            ));
        }
        (Err(error), _) => {
            return Err(Failure::retryable(
                "workflow_lookup",
                format!("the workflow `{name}` could not be looked up: {error}"),
            ));
        }
    };
    if !version.active {
        return unknown(format!(
            "the workflow `{name}` is inactive; activate it and retry the run"
        ));
    }
    let findings = version.plan.check_input(&wanted.input);
    if findings.is_empty() {
        Ok(version)
    } else {
        Err(misfit(name, &findings))
    }
}

fn misfit(workflow: &str, findings: &Told<Finding>) -> Failure {
    let mut told: Vec<String> = findings
        .iter()
        .take(FINDINGS_QUOTED)
        .map(|finding| match finding.pointer.as_str() {
            "" => finding.detail.clone(),
            pointer => format!("at {pointer}: {}", finding.detail),
        })
        .collect();
    if findings.len() > FINDINGS_QUOTED {
        let more = findings.len() - FINDINGS_QUOTED;
        let least = if findings.is_over() { "at least " } else { "" };
        told.push(format!("and {least}{more} more"));
    }
    Failure::fatal(
        "child_input",
        format!(
            "the input of this step does not fit the input_schema of the workflow `{workflow}` \
             ({}); correct one of the two and start a new run",
            told.join("; ")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pointers: &[&str]) -> String {
        let finding = |pointer: &&str| Finding::rule(*pointer, "value is not a number");
        let findings: Told<_> = pointers.iter().map(finding).collect();
        let message = misfit("child", &findings).message;
        let inside = message
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'));
        inside
            .map(|(inside, _)| inside.to_owned())
            .unwrap_or_default()
    }

    #[test]
    fn the_first_findings_are_quoted_with_their_places() {
        assert_eq!(told(&[""]), "value is not a number");
        assert_eq!(told(&["/n"]), "at /n: value is not a number");
        let five = told(&["/a", "/b", "/c", "/d", "/e"]);
        assert!(
            five.ends_with("at /c: value is not a number; and 2 more"),
            "{five}"
        );
    }
}
