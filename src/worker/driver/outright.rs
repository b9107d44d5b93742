//! Fails a run past `advance`: when its plan cannot be read, or the database refuses what was
//! decided. Without this such a run would be claimed for ever.

use chrono::Utc;
use serde_json::json;
use stepwell_queue::commit::StepWrite;
use stepwell_queue::{Changes, End};
use stepwell_workflow::{Failure, Record, RunHeader, RunStatus, StepStatus};

/// Makes the commit that fails a run. `sequence` is the number of the last record that was
/// committed, `steps` are the rows that could not be written as they were.
pub(crate) fn fail(
    header: &RunHeader,
    sequence: i64,
    failure: Failure,
    steps: Vec<StepWrite>,
) -> Changes {
    let now = Utc::now();
    let sequence = sequence + 1;
    let record = Record {
        sequence,
        step: None,
        action: "run.failed",
        before: Some(RunStatus::Running.as_str()),
        after: Some(RunStatus::Failed.as_str()),
        detail: Some(json!({ "error": &failure })),
        actor: None,
        request_id: None,
    };
    let steps = steps
        .into_iter()
        .map(|step| without_payload(step, &failure))
        .collect();
    Changes {
        run_id: header.id,
        generation: header.generation,
        steps,
        records: vec![record],
        consumed: Vec::new(),
        started_at: Some(header.started_at.unwrap_or(now)),
        children: Vec::new(),
        messages: Vec::new(),
        put_up: Vec::new(),
        recalled: Vec::new(),
        recalls_all: true,
        sequence,
        end: Some(End::Finished {
            status: RunStatus::Failed,
            output: None,
            error: Some(failure),
            finished_at: now,
            cancelled_by: None,
            cancel_reason: None,
            parent: header.parent.clone(),
        }),
    }
}

/// What was refused may be the payload: the row says what happened without it.
fn without_payload(mut step: StepWrite, failure: &Failure) -> StepWrite {
    let row = &mut step.snapshot;
    row.status = StepStatus::Failed;
    row.input = None;
    row.output = None;
    row.error = Some(failure.clone());
    row.wake_at = None;
    row.finished_at = Some(Utc::now());
    step
}
