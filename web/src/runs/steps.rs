//! GET `/api/v1/runs/{id}/steps`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::run::{self, StepPlace};
use stepwell_workflow::StepStatus;
use uuid::Uuid;

use super::blocked::BlockedOn;
use super::id::RunId;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::json::Json;
use crate::list::List;
use crate::moment::Moment;
use crate::onward::{Onward, cursor};
use crate::query::Query;

/// Lists the steps of a run, in the order of its plan.
///
/// Each in its newest generation; the items of a map follow the map. Steps that have not begun are
/// `pending`, or `skipped` when the run is over.
#[endpoint(operation_id = "list_run_steps")]
pub async fn list_run_steps(
    app: App,
    id: RunId,
    query: Query<Onward>,
) -> Result<Found<List<RunStep>>> {
    let after = query.0.after.map(|(step, item)| StepPlace {
        step: i16::try_from(step).unwrap_or(i16::MAX),
        item: i32::try_from(item).unwrap_or(i32::MAX),
    });
    let page = app
        .store
        .run_steps(id.0, after, query.0.limit.into())
        .await?;
    let page = page.ok_or_else(|| id.unknown())?;
    let last = page.steps.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor(last.place.step.into(), last.place.item.into()));
    Ok(Found(List {
        items: page.steps.into_iter().map(RunStep::from).collect(),
        next_cursor,
        total: None,
    }))
}

/// A step of a run, or an item of a map, in its newest generation.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RunStep"))]
pub struct RunStep {
    /// `score`, or `score[17]` for an item of a map.
    pub name: String,
    pub r#type: String,
    /// A run's statuses, and `skipped`; `running` too while a live worker of its queue makes its attempt.
    pub status: &'static str,
    /// The last attempt begun, from 1; 0 when none was.
    pub attempt: i16,
    pub max_attempts: i16,
    #[salvo(schema(value_type = Json))]
    pub input: Option<Json>,
    #[salvo(schema(value_type = Json))]
    pub output: Option<Json>,
    /// {type, message, step, retryable}, or null.
    #[salvo(schema(value_type = Json))]
    pub error: Option<Json>,
    pub started_at: Option<Moment>,
    pub finished_at: Option<Moment>,
    pub duration_ms: Option<i64>,
    /// The id of the worker that makes its attempt elsewhere, else of the one that wrote it.
    pub worker: Option<Uuid>,
    /// When an attempt that failed, or found no seat at its agent, is made again.
    pub next_attempt_at: Option<Moment>,
    /// What a waiting or paused step waits for; else null.
    pub blocked_on: Option<BlockedOn>,
}

impl From<run::RunStep> for RunStep {
    fn from(step: run::RunStep) -> Self {
        let blocked_on = blocked_on(&step);
        let retrying = blocked_on
            .as_ref()
            .is_some_and(|on| ["retry", "agent"].contains(&on.kind.as_str()));
        let duration = step.started_at.zip(step.finished_at);
        Self {
            name: step.name,
            r#type: step.kind,
            status: step.status.as_str(),
            attempt: step.attempt,
            max_attempts: step.max_attempts,
            input: step.input.map(Json),
            output: step.output.map(Json),
            error: step.error.map(Json),
            started_at: step.started_at.map(Moment::from),
            finished_at: step.finished_at.map(Moment::from),
            duration_ms: duration.map(|(from, to)| (to - from).num_milliseconds()),
            worker: step.worker_id,
            next_attempt_at: step.wake_at.filter(|_| retrying).map(Moment::from),
            blocked_on,
        }
    }
}

fn blocked_on(step: &run::RunStep) -> Option<BlockedOn> {
    let (kind, detail) = match (step.status, step.kind.as_str()) {
        (StepStatus::Paused, _) => ("paused", None),
        (StepStatus::Waiting, "delay") => ("delay", None),
        // What is asked is the input of the step; other waits have none.
        (StepStatus::Waiting, "wait") if step.input.is_some() => ("approval", step.awaits.clone()),
        (StepStatus::Waiting, "wait") => ("signal", step.awaits.clone()),
        // Between two children it is the next attempt that is awaited.
        (StepStatus::Waiting, "workflow") if step.child_run_id.is_some() => {
            ("child", step.child_run_id.map(|id| id.to_string()))
        }
        (StepStatus::Waiting, "map") => ("items", None),
        (StepStatus::Waiting, "agent") if is_busy(step) => ("agent", None),
        // After a failed attempt the error says so; an attempt that is made elsewhere has none.
        (StepStatus::Waiting, "external") if step.error.is_none() => {
            ("external", step.awaits.clone())
        }
        (StepStatus::Waiting, "agent" | "http" | "webhook" | "task") if step.error.is_none() => {
            // What is put up on a queue has no end of its own.
            match step.wake_at {
                None => ("queue", step.awaits.clone()),
                Some(_) => ("callback", None),
            }
        }
        (StepStatus::Waiting, _) => ("retry", None),
        _ => return None,
    };
    Some(BlockedOn {
        kind: kind.to_owned(),
        since: step.started_at.map(Moment::from),
        until: step.wake_at.map(Moment::from),
        detail,
    })
}

/// Says whether the step waits because its agent has enough to do.
fn is_busy(step: &run::RunStep) -> bool {
    #[derive(serde::Deserialize)]
    struct Error {
        r#type: String,
    }
    let error = step
        .error
        .as_ref()
        .map(|error| serde_json::from_str(error.get()));
    matches!(error, Some(Ok(Error { r#type })) if r#type == "agent_busy")
}

impl Example for RunStep {
    fn example() -> Value {
        json!({
            "name": "notify", "type": "webhook", "status": "completed", "attempt": 1,
            "max_attempts": 3, "input": {"message": "Hello Ada"},
            "output": {"status": 200, "headers": {}, "body": null}, "error": null,
            "started_at": "2026-03-01T12:00:02.031Z", "finished_at": "2026-03-01T12:00:02.049Z",
            "duration_ms": 18, "worker": "0199b6cf-7d10-7b44-8a6e-0c1d2e3f4a5b",
            "next_attempt_at": null, "blocked_on": null,
        })
    }
}
