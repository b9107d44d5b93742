//! Runs, their steps and their trail as clients see them.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use stepwell_queue::run;
use stepwell_queue::{NewRun, Run as Stored};
use stepwell_workflow::{RunStatus, Time};
use uuid::Uuid;

use crate::example::Example;
use crate::json::Json;

/// A run as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Run"))]
pub struct Run {
    pub id: Uuid,
    pub workflow_id: Uuid,
    /// The workflow's slug.
    pub workflow_name: String,
    pub version: i32,
    /// `pending`, `running`, `waiting`, `paused`, `completed`, `failed`, `cancelled` or
    /// `timed_out`.
    pub status: &'static str,
    /// What a waiting or paused run waits for, {kind, since, until, detail}; else null.
    #[salvo(schema(value_type = Json))]
    pub blocked_on: Option<Json>,
    #[salvo(schema(value_type = Json))]
    pub input: Option<Json>,
    #[salvo(schema(value_type = Json))]
    pub output: Option<Json>,
    /// {type, message, step, retryable}, or null.
    #[salvo(schema(value_type = Json))]
    pub error: Option<Json>,
    pub labels: BTreeMap<String, String>,
    /// −100 to 100; the highest is next.
    pub priority: i16,
    pub queue: String,
    /// Rises with every retry, from 1.
    pub generation: i32,
    /// The run whose step started this one.
    pub parent_id: Option<Uuid>,
    pub forked_from: Option<Uuid>,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub triggered_by: String,
    pub cancelled_by: Option<String>,
    pub cancel_reason: Option<String>,
    pub steps_total: i32,
    /// Steps that are over; the items of maps are not counted.
    pub steps_done: i64,
}

impl From<Stored> for Run {
    fn from(run: Stored) -> Self {
        Self {
            id: run.id,
            workflow_id: run.workflow_id,
            workflow_name: run.workflow_name,
            version: run.version,
            status: run.status.as_str(),
            blocked_on: run.blocked_on.map(Json),
            input: run.input.map(Json),
            output: run.output.map(Json),
            error: run.error.map(Json),
            labels: run.labels,
            priority: run.priority,
            queue: run.queue,
            generation: run.generation,
            parent_id: run.parent_id,
            forked_from: None,
            created_at: run.created_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            triggered_by: run.triggered_by,
            cancelled_by: run.cancelled_by,
            cancel_reason: run.cancel_reason,
            steps_total: run.steps_total,
            steps_done: run.steps_done,
        }
    }
}

impl Run {
    /// Shows a run as it will be right after it is enqueued.
    #[must_use]
    pub fn fresh(run: &NewRun) -> Self {
        let blocked_on = run.run_at.and_then(|until| {
            let kind = "run_at";
            to_raw_value(&json!({"kind": kind, "since": run.created_at, "until": until})).ok()
        });
        Self {
            id: run.id,
            workflow_id: run.workflow_id,
            workflow_name: run.workflow_name.to_string(),
            version: run.version,
            status: fresh_status(run).as_str(),
            blocked_on: blocked_on.map(Json),
            input: Some(Json((*run.input).to_owned())),
            output: None,
            error: None,
            labels: run.labels.clone(),
            priority: run.priority,
            queue: run.queue.to_string(),
            generation: 1,
            parent_id: run.parent.as_ref().map(|parent| parent.run_id),
            forked_from: None,
            created_at: run.created_at,
            started_at: None,
            finished_at: None,
            triggered_by: run.actor.name.clone(),
            cancelled_by: None,
            cancel_reason: None,
            steps_total: run.steps_total,
            steps_done: 0,
        }
    }
}

/// Returns the status of a run right after it is enqueued.
#[must_use]
pub const fn fresh_status(run: &NewRun) -> RunStatus {
    if run.run_at.is_some() {
        RunStatus::Waiting
    } else {
        RunStatus::Pending
    }
}

impl Example for Run {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "workflow_id": "0199b6d0-11aa-7c02-9d7e-5a0e7c1f2b34", "workflow_name": "my-workflow",
            "version": 1, "status": "waiting",
            "blocked_on": {"kind": "delay", "since": "2026-03-01T12:00:00.020Z",
                "until": "2026-03-01T12:00:02.020Z", "detail": "delay"},
            "input": {"user": "Ada"}, "output": null, "error": null, "labels": {"team": "payments"},
            "priority": 0, "queue": "default", "generation": 1, "parent_id": null,
            "forked_from": null, "created_at": "2026-03-01T12:00:00Z",
            "started_at": "2026-03-01T12:00:00.020Z", "finished_at": null,
            "triggered_by": "anonymous", "cancelled_by": null, "cancel_reason": null,
            "steps_total": 2, "steps_done": 0,
        })
    }
}

/// A step of a run, or an item of a map, in its newest generation.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RunStep"))]
pub struct RunStep {
    /// `score`, or `score[17]` for an item of a map.
    pub name: String,
    pub r#type: String,
    /// A run's statuses, and `skipped`.
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
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub duration_ms: Option<i64>,
    /// The id of the worker that wrote it.
    pub worker: Option<Uuid>,
    /// When an attempt that failed is made again.
    pub next_attempt_at: Option<Time>,
    /// What a waiting or paused step waits for; else null.
    pub blocked_on: Option<BlockedOn>,
}

/// What a step waits for.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "BlockedOn"))]
pub struct BlockedOn {
    /// `delay`, `signal`, `child`, `retry`, `items` or `paused`.
    pub kind: &'static str,
    pub since: Option<Time>,
    /// Null: until somebody acts.
    pub until: Option<Time>,
    /// The signal's name or the child's id.
    pub detail: Option<String>,
}

impl From<run::RunStep> for RunStep {
    fn from(step: run::RunStep) -> Self {
        let blocked_on = blocked_on(&step);
        let retrying = blocked_on.as_ref().is_some_and(|on| on.kind == "retry");
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
            started_at: step.started_at,
            finished_at: step.finished_at,
            duration_ms: duration.map(|(from, to)| (to - from).num_milliseconds()),
            worker: step.worker_id,
            next_attempt_at: step.wake_at.filter(|_| retrying),
            blocked_on,
        }
    }
}

fn blocked_on(step: &run::RunStep) -> Option<BlockedOn> {
    use stepwell_workflow::StepStatus;
    let (kind, detail) = match (step.status, step.kind.as_str()) {
        (StepStatus::Paused, _) => ("paused", None),
        (StepStatus::Waiting, "delay") => ("delay", None),
        (StepStatus::Waiting, "wait") => ("signal", step.signal.clone()),
        (StepStatus::Waiting, "workflow") => ("child", step.child_run_id.map(|id| id.to_string())),
        (StepStatus::Waiting, "map") => ("items", None),
        (StepStatus::Waiting, _) => ("retry", None),
        _ => return None,
    };
    Some(BlockedOn {
        kind,
        since: step.started_at,
        until: step.wake_at,
        detail,
    })
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

/// One record of a run's audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RunAuditRecord"))]
pub struct TrailRecord {
    /// 1, 2, 3 … within the run, without gaps.
    pub sequence: i64,
    pub at: Time,
    /// `run` or `step`.
    pub entity_type: String,
    /// The step's name, where it is about one.
    pub step: Option<String>,
    /// `run.created`, `step.completed`, …
    pub action: String,
    #[salvo(schema(value_type = Json))]
    pub before: Option<Json>,
    #[salvo(schema(value_type = Json))]
    pub after: Option<Json>,
    #[salvo(schema(value_type = Json))]
    pub detail: Option<Json>,
    pub actor: String,
    pub request_id: Option<String>,
}

impl From<run::TrailRecord> for TrailRecord {
    fn from(record: run::TrailRecord) -> Self {
        Self {
            sequence: record.sequence,
            at: record.at,
            entity_type: record.entity_type,
            step: record.step,
            action: record.action,
            before: record.before.map(Json),
            after: record.after.map(Json),
            detail: record.detail.map(Json),
            actor: record.actor,
            request_id: record.request_id,
        }
    }
}

impl Example for TrailRecord {
    fn example() -> Value {
        json!({
            "sequence": 4, "at": "2026-03-01T12:00:02.049Z", "entity_type": "step",
            "step": "notify", "action": "step.completed", "before": "running",
            "after": "completed", "detail": {"attempt": 1},
            "actor": "worker:0199b6cf-7d10-7b44-8a6e-0c1d2e3f4a5b", "request_id": null,
        })
    }
}
