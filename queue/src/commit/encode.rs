//! One driver's changes as rows, JSON already written out.

use serde_json::Value;
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{Failure, RunStatus, StepSnapshot};
use uuid::Uuid;

use super::rows::{CLEARED, JobChange, MessageRow, Rows, StepRow, Turn};
use super::{Changes, End};
use crate::Actor;
use crate::audit::AuditRow;
use crate::detached::{DetachedRows, PutUpRow, place};
use crate::inbox::{Word, word};
use crate::text::clean;

/// Makes rows of one driver's changes.
pub(super) fn encode(changes: Changes) -> Rows {
    let untouched = !changes.writes_job();
    let Changes {
        run_id,
        generation,
        steps,
        records,
        consumed,
        started_at,
        children,
        messages,
        put_up,
        recalled,
        recalls_all,
        sequence,
        end,
        paused,
        came_through,
        placed,
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
        paused,
        deaths: if came_through { CLEARED } else { 0 },
        ..JobChange::default()
    };
    match end {
        None => {}
        Some(End::GivenBack) => change.turn = Turn::GivenBack,
        Some(End::Released {
            wake_at,
            blocked_on,
        }) => {
            change.turn = Turn::Released;
            change.wake_at = wake_at;
            change.blocked_on = serde_json::to_string(&blocked_on).ok();
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
        records: records.into_iter().map(AuditRow::of).collect(),
        consumed,
        children,
        detached: DetachedRows {
            put_up: put_up.into_iter().map(PutUpRow::of).collect(),
            recalled: recalled.into_iter().map(place).collect(),
            recalls_all,
        },
        messages,
        placed: placed && change.turn == Turn::Finished,
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
        detached: DetachedRows::default(),
        messages: Vec::new(),
        placed: false,
        change: Some(JobChange {
            turn: Turn::GivenBack,
            deaths: 1,
            ..JobChange::default()
        }),
        bytes: 0,
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
        ..Actor::default()
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
