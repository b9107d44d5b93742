//! Fails a run past `advance`: when its plan cannot be read, or the database refuses what was
//! decided. Without this such a run would be claimed for ever.
use serde_json::{Value, json};
use stepwell_queue::clock;
use stepwell_queue::commit::StepWrite;
use stepwell_queue::inbox::Word;
use stepwell_queue::{Actor, Changes, End};
use stepwell_workflow::{Failure, Record, RunHeader, RunStatus, StepStatus};
use uuid::Uuid;

/// The rows of a run that fails outright.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Those that could not be written as they were.
    pub(crate) refused: Vec<StepWrite>,
    /// The others that are not over.
    pub(crate) open: Vec<StepWrite>,
}

/// Makes the commit that fails a run, ends its open steps and cancels its children. `sequence` is
/// the number of the last record that was committed.
pub(crate) fn fail(header: &RunHeader, sequence: i64, failure: Failure, steps: Steps) -> Changes {
    let now = clock::now();
    let mut ending = Ending {
        sequence,
        records: Vec::new(),
        children: Vec::new(),
    };
    let mut rows = Vec::with_capacity(steps.refused.len() + steps.open.len());
    for step in steps.refused {
        let error = json!({ "error": &failure });
        ending.of(&step, "step.failed", Some(error), StepStatus::Failed);
        rows.push(without_payload(step, &failure));
    }
    for mut step in steps.open {
        ending.of(&step, "step.cancelled", None, StepStatus::Cancelled);
        let row = &mut step.snapshot;
        row.status = StepStatus::Cancelled;
        row.wake_at = None;
        row.finished_at = Some(now);
        rows.push(step);
    }
    // Where it stood is not known when records of this driver were refused.
    let stood = if header.paused {
        RunStatus::Paused
    } else {
        header.status
    };
    let before = (header.sequence == sequence).then(|| stood.as_str());
    let after = RunStatus::Failed.as_str();
    let error = json!({ "error": &failure });
    ending.record(None, "run.failed", (before, after), Some(error));
    let Ending {
        sequence,
        records,
        children,
    } = ending;
    let actor = Actor {
        name: format!("run:{}", header.id),
        ..Actor::default()
    };
    let messages = children.into_iter().map(|child| {
        let reason = Some("the run that waits for it failed".to_owned());
        (child, Word::Cancel { reason }, actor.clone())
    });
    Changes {
        run_id: header.id,
        generation: header.generation,
        steps: rows,
        records,
        consumed: Vec::new(),
        started_at: Some(header.started_at.unwrap_or(now)),
        children: Vec::new(),
        messages: messages.collect(),
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
        paused: None,
        came_through: false,
        placed: false,
    }
}

/// The records of an end and the children that are cancelled with it.
struct Ending {
    sequence: i64,
    records: Vec<Record>,
    children: Vec<Uuid>,
}

impl Ending {
    /// Notes that a step is over.
    fn of(
        &mut self,
        step: &StepWrite,
        action: &'static str,
        detail: Option<Value>,
        after: StepStatus,
    ) {
        let row = &step.snapshot;
        // What was there before the refusal is not known.
        let before = (row.status != after && !row.status.is_terminal()).then_some(row.status);
        let change = (before.map(StepStatus::as_str), after.as_str());
        self.children.extend(row.child_run_id);
        self.record(Some(row.name.clone()), action, change, detail);
    }

    fn record(
        &mut self,
        step: Option<String>,
        action: &'static str,
        (before, after): (Option<&'static str>, &'static str),
        detail: Option<Value>,
    ) {
        self.sequence += 1;
        self.records.push(Record {
            sequence: self.sequence,
            step,
            action,
            before,
            after: Some(after),
            detail,
            actor: None,
            request_id: None,
        });
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
    row.finished_at = Some(clock::now());
    step
}
