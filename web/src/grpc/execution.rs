//! Runs as the contract has them.

use prost_types::Timestamp;
use serde::Deserialize;
use stepwell_workflow::Time;

use super::wire::{BlockedOn, Execution, ExecutionError, ExecutionStatus, step_update};
use crate::json::Json;
use crate::runs::wire::Run;

/// Returns a time.
pub(super) fn timestamp(time: Time) -> Timestamp {
    Timestamp {
        seconds: time.timestamp(),
        // A leap second is told as the end of the one before it.
        nanos: i32::try_from(time.timestamp_subsec_nanos())
            .unwrap_or(999_999_999)
            .min(999_999_999),
    }
}

/// Reads the word of a status.
pub(super) fn status(word: &str) -> Option<ExecutionStatus> {
    ExecutionStatus::from_str_name(&word.to_ascii_uppercase())
}

/// Reads the word of a step's status.
pub(super) fn step_status(word: &str) -> Option<step_update::Status> {
    step_update::Status::from_str_name(&word.to_ascii_uppercase())
}

/// How an error is stored.
#[derive(Deserialize)]
struct Stored {
    #[serde(rename = "type")]
    kind: String,
    message: String,
    #[serde(default)]
    step: Option<String>,
    #[serde(default)]
    retryable: bool,
}

/// Returns the error of a run that did not complete.
pub(super) fn error(stored: Option<&Json>) -> Option<ExecutionError> {
    let stored: Stored = serde_json::from_str(stored?.0.get()).ok()?;
    Some(ExecutionError {
        r#type: stored.kind,
        message: stored.message,
        step: stored.step,
        retryable: stored.retryable,
    })
}

/// Returns JSON as text, empty where there is none.
pub(super) fn text(json: Option<Json>) -> String {
    json.map(|json| json.0.get().to_owned()).unwrap_or_default()
}

impl From<Run> for Execution {
    fn from(run: Run) -> Self {
        Self {
            execution_id: run.id.to_string(),
            status: status(run.status).unwrap_or_default().into(),
            workflow_id: run.workflow_id.to_string(),
            workflow: run.workflow_name,
            version: run.version,
            blocked_on: run.blocked_on.map(|blocked| BlockedOn {
                kind: blocked.kind,
                since: blocked.since.map(|at| timestamp(at.time())),
                until: blocked.until.map(|at| timestamp(at.time())),
                detail: blocked.detail,
            }),
            input_json: text(run.input),
            error: error(run.error.as_ref()),
            output_json: text(run.output),
            labels: run.labels,
            priority: run.priority.into(),
            queue: run.queue,
            generation: run.generation,
            created_at: Some(timestamp(run.created_at.time())),
            started_at: run.started_at.map(|at| timestamp(at.time())),
            finished_at: run.finished_at.map(|at| timestamp(at.time())),
            triggered_by: run.triggered_by,
            cancelled_by: run.cancelled_by,
            cancel_reason: run.cancel_reason,
            steps_total: run.steps_total,
            steps_done: run.steps_done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_word_in_the_contract() {
        for word in [
            "pending",
            "running",
            "waiting",
            "paused",
            "completed",
            "failed",
            "cancelled",
            "timed_out",
        ] {
            assert!(status(word).is_some(), "{word}");
            assert!(step_status(word).is_some(), "{word}");
        }
        assert_eq!(step_status("skipped"), Some(step_update::Status::Skipped));
        assert_eq!(status("lost"), None);
    }
}
