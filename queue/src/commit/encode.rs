//! One driver's changes as rows, JSON already written out.

use serde_json::Value;
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{Failure, RunStatus, StepSnapshot, Time};
use uuid::Uuid;

use super::{Changes, End};
use crate::audit::AuditRow;
use crate::inbox::{Word, word};
use crate::text::clean;
use crate::{Actor, NewRun};

/// What one driver wants written.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(super) run_id: Uuid,
    /// (row, whether it exists)
    pub(super) steps: Vec<(StepRow, bool)>,
    pub(super) records: Vec<AuditRow>,
    pub(super) consumed: Vec<i64>,
    pub(super) children: Vec<NewRun>,
    pub(super) messages: Vec<MessageRow>,
    /// `None`: the job row stays as it is.
    pub(super) change: Option<JobChange>,
    pub(super) bytes: usize,
}

#[derive(Debug)]
pub(super) struct StepRow {
    pub(super) step: i16,
    pub(super) item: i32,
    pub(super) generation: i32,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) status: &'static str,
    pub(super) attempt: i16,
    pub(super) max_attempts: i16,
    pub(super) input: Option<String>,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) started_at: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) wake_at: Option<Time>,
    pub(super) child_run_id: Option<Uuid>,
}

#[derive(Debug)]
pub(super) struct MessageRow {
    pub(super) run_id: Uuid,
    pub(super) kind: &'static str,
    pub(super) payload: String,
    pub(super) actor: String,
    pub(super) request_id: Option<String>,
}

/// What happens to a job row.
#[derive(Debug, Default)]
pub(super) struct JobChange {
    pub(super) turn: Turn,
    /// 0: not known.
    pub(super) sequence: i64,
    pub(super) started_at: Option<Time>,
    pub(super) generation: i32,
    pub(super) status: Option<&'static str>,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) finished_at: Option<Time>,
    pub(super) cancelled_by: Option<String>,
    pub(super) cancel_reason: Option<String>,
    pub(super) consumed: i32,
    pub(super) wake_at: Option<Time>,
    pub(super) blocked_on: Option<String>,
    pub(super) paused: Option<bool>,
    pub(super) deaths: i16,
}

/// Who the job is with afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// A message arrives for a run of which nothing else is known.
    #[default]
    Told,
    Kept,
    Released,
    GivenBack,
    Finished,
}

impl JobChange {
    /// Of a job whose driver is somebody else.
    pub(super) const TOLD: &'static Self = &Self {
        turn: Turn::Told,
        sequence: 0,
        started_at: None,
        generation: 0,
        status: None,
        output: None,
        error: None,
        finished_at: None,
        cancelled_by: None,
        cancel_reason: None,
        consumed: 0,
        wake_at: None,
        blocked_on: None,
        paused: None,
        deaths: 0,
    };
}

impl Turn {
    /// The word in the statement.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Kept => "kept",
            Self::Released => "released",
            Self::GivenBack => "given_back",
            Self::Finished => "finished",
        }
    }

    /// Whether the driver keeps the run.
    pub(super) const fn keeps(self) -> bool {
        matches!(self, Self::Told | Self::Kept)
    }
}

/// Makes rows of one driver's changes. `driver`: the actor of records that nobody asked for.
pub(super) fn encode(changes: Changes, driver: &str) -> Rows {
    let Changes {
        run_id,
        generation,
        steps,
        records,
        consumed,
        started_at,
        children,
        messages,
        sequence,
        end,
    } = changes;
    let mut messages: Vec<_> = messages
        .into_iter()
        .map(|(to, word, actor)| message(to, word, actor))
        .collect();
    let mut change = JobChange {
        turn: Turn::Kept,
        sequence,
        started_at,
        generation,
        consumed: i32::try_from(consumed.len()).unwrap_or(i32::MAX),
        ..JobChange::default()
    };
    let untouched = end.is_none() && started_at.is_none() && consumed.is_empty();
    match end {
        None => {}
        Some(End::GivenBack) => change.turn = Turn::GivenBack,
        Some(End::Released {
            wake_at,
            blocked_on,
            paused,
        }) => {
            change.turn = Turn::Released;
            change.wake_at = wake_at;
            change.blocked_on = serde_json::to_string(&blocked_on).ok();
            change.paused = Some(paused);
        }
        Some(End::Finished {
            status,
            output,
            error,
            finished_at,
            cancelled_by,
            cancel_reason,
            parent,
        }) => {
            change.turn = Turn::Finished;
            change.status = Some(status.as_str());
            change.output = output.as_deref().map(Value::to_string);
            change.error = error.as_ref().and_then(|e| serde_json::to_string(e).ok());
            change.finished_at = Some(finished_at);
            change.cancelled_by = cancelled_by.map(|name| clean(&name).into_owned());
            change.cancel_reason = cancel_reason.map(|why| clean(&why).into_owned());
            if let Some(parent) = parent {
                let result = result_for_parent(status, output.as_deref(), error);
                messages.push(child_ended(run_id, &parent, result));
            }
        }
    }
    let mut rows = Rows {
        run_id,
        steps: steps
            .into_iter()
            .map(|write| (step(write.snapshot), write.exists))
            .collect(),
        records: records
            .into_iter()
            .map(|record| AuditRow::of(record, driver))
            .collect(),
        consumed,
        children,
        messages,
        change: (!untouched).then_some(change),
        bytes: 0,
    };
    rows.bytes = rows.weight();
    rows
}

/// Gives a run back whose driver broke.
pub(super) fn broken(run_id: Uuid) -> Rows {
    Rows {
        run_id,
        steps: Vec::new(),
        records: Vec::new(),
        consumed: Vec::new(),
        children: Vec::new(),
        messages: Vec::new(),
        change: Some(JobChange {
            turn: Turn::GivenBack,
            deaths: 1,
            ..JobChange::default()
        }),
        bytes: 0,
    }
}

impl Rows {
    /// Returns about how many bytes of payload these rows hold.
    fn weight(&self) -> usize {
        let size = |json: &Option<String>| json.as_ref().map_or(0, String::len);
        let steps: usize = self
            .steps
            .iter()
            .map(|(s, _)| size(&s.input) + size(&s.output) + size(&s.error))
            .sum();
        let records: usize = self.records.iter().map(|r| size(&r.detail)).sum();
        let messages: usize = self.messages.iter().map(|m| m.payload.len()).sum();
        let children: usize = self.children.iter().map(|c| c.input.get().len()).sum();
        let ended = self
            .change
            .as_ref()
            .map_or(0, |c| size(&c.output) + size(&c.error));
        steps + records + messages + children + ended
    }

    /// Whether the driver lets go of its run.
    pub(super) fn ends(&self) -> bool {
        self.change.as_ref().is_some_and(|c| !c.turn.keeps())
    }

    /// When the run wants a driver again, if it is let go until then.
    pub(super) fn wake_at(&self) -> Option<Time> {
        self.change.as_ref().and_then(|c| c.wake_at)
    }

    /// Returns the number of rows, all tables together.
    pub(super) fn count(&self) -> usize {
        1 + self.steps.len() + self.records.len() + self.messages.len() + self.children.len()
    }
}

fn step(snapshot: StepSnapshot) -> StepRow {
    let small = |n: u32| i16::try_from(n).unwrap_or(i16::MAX);
    let json = |value: Option<std::sync::Arc<Value>>| value.map(|value| value.to_string());
    StepRow {
        // STEPS_MAX is 1,000 and MAP_ITEMS_MAX is 10,000.
        step: i16::try_from(snapshot.key.step).unwrap_or(i16::MAX),
        item: snapshot
            .key
            .item
            .map_or(-1, |item| i32::try_from(item).unwrap_or(i32::MAX)),
        generation: snapshot.generation,
        name: clean(&snapshot.name).into_owned(),
        kind: snapshot.kind,
        status: snapshot.status.as_str(),
        attempt: small(snapshot.attempt),
        max_attempts: small(snapshot.max_attempts),
        input: json(snapshot.input),
        output: json(snapshot.output),
        error: snapshot
            .error
            .and_then(|failure| serde_json::to_string(&failure).ok()),
        started_at: snapshot.started_at,
        finished_at: snapshot.finished_at,
        wake_at: snapshot.wake_at,
        child_run_id: snapshot.child_run_id,
    }
}

fn message(to: Uuid, word: Word, actor: Actor) -> MessageRow {
    let (kind, payload) = word::encode(word);
    MessageRow {
        run_id: to,
        kind,
        payload,
        actor: clean(&actor.name).into_owned(),
        request_id: actor.request_id.map(|id| clean(&id).into_owned()),
    }
}

fn child_ended(run_id: Uuid, parent: &Parent, result: Result<Value, Failure>) -> MessageRow {
    let word = Word::ChildEnded {
        step: parent.key.step,
        item: parent.key.item,
        child_run_id: run_id,
        result,
    };
    let actor = Actor {
        name: format!("run:{run_id}"),
        request_id: None,
    };
    message(parent.run_id, word, actor)
}

fn result_for_parent(
    status: RunStatus,
    output: Option<&Value>,
    error: Option<Failure>,
) -> Result<Value, Failure> {
    if status == RunStatus::Completed {
        return Ok(output.cloned().unwrap_or(Value::Null));
    }
    Err(error.unwrap_or_else(|| {
        let word = status.as_str().replace('_', " ");
        Failure::fatal("child_failed", format!("the child run was {word}"))
    }))
}
