//! Runs as clients see them.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::{NewRun, Run as Stored};
use stepwell_workflow::RunStatus;
use uuid::Uuid;

use super::blocked::BlockedOn;
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;

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
    /// What a waiting or paused run waits for; else null.
    pub blocked_on: Option<BlockedOn>,
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
    /// The run whose results this one took over, or that it appeals.
    pub forked_from: Option<Uuid>,
    pub created_at: Moment,
    pub started_at: Option<Moment>,
    pub finished_at: Option<Moment>,
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
            blocked_on: run.blocked_on.map(BlockedOn::from),
            input: run.input.map(Json),
            output: run.output.map(Json),
            error: run.error.map(Json),
            labels: run.labels,
            priority: run.priority,
            queue: run.queue,
            generation: run.generation,
            parent_id: run.parent_id,
            forked_from: run.forked_from,
            created_at: run.created_at.into(),
            started_at: run.started_at.map(Moment::from),
            finished_at: run.finished_at.map(Moment::from),
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
        let blocked_on = run.run_at.map(|until| BlockedOn {
            kind: "run_at".to_owned(),
            since: Some(run.created_at.into()),
            until: Some(until.into()),
            detail: None,
        });
        Self {
            id: run.id,
            workflow_id: run.workflow_id,
            workflow_name: run.workflow_name.to_string(),
            version: run.version,
            status: fresh_status(run).as_str(),
            blocked_on,
            input: Some(Json((*run.input).to_owned())),
            output: None,
            error: None,
            labels: run.labels.clone(),
            priority: run.priority,
            queue: run.queue.to_string(),
            generation: 1,
            parent_id: run.parent.as_ref().map(|parent| parent.run_id),
            forked_from: None,
            created_at: run.created_at.into(),
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
            "forked_from": null, "created_at": "2026-03-01T12:00:00.000Z",
            "started_at": "2026-03-01T12:00:00.020Z", "finished_at": null,
            "triggered_by": "anonymous", "cancelled_by": null, "cancel_reason": null,
            "steps_total": 2, "steps_done": 0,
        })
    }
}
