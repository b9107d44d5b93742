//! An event as clients see it.

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::feed::FeedRecord;
use uuid::Uuid;

use crate::example::Example;
use crate::json::Json;
use crate::moment::{Moment, retell};
use crate::runs::trail::DETAIL_TIMES;

/// One event: the `data` of a message.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Event"))]
pub struct Event {
    /// Unique, and the same however often the event is read.
    pub id: Uuid,
    /// 1, 2, 3 … within the run, or whatever else it is about, without gaps.
    pub sequence: i64,
    /// `run.completed`, `step.started`, `workflow.created` …: also the message's `event`.
    #[serde(rename = "type")]
    pub kind: String,
    pub time: Moment,
    /// `run`, `step`, `workflow`, `agent` …
    pub entity_type: String,
    /// Of a step: its run's.
    pub entity_id: Uuid,
    /// Of an event about a run or a step.
    pub run_id: Option<Uuid>,
    /// The slug of the run's workflow.
    pub workflow: Option<String>,
    pub workflow_id: Option<Uuid>,
    /// The step's name: of an item of a map `score[17]`.
    pub step: Option<String>,
    /// What the run or step is now.
    pub status: Option<String>,
    /// What it was before.
    pub previous_status: Option<String>,
    /// Who made it happen: a worker, a caller, another run.
    pub actor: String,
    pub request_id: Option<String>,
    /// What else there is to say.
    #[salvo(schema(value_type = Json))]
    pub detail: Option<Json>,
}

impl From<&FeedRecord> for Event {
    fn from(record: &FeedRecord) -> Self {
        let of_run = record.is_of_run();
        // Of anything but runs and steps these are whole objects.
        let status = |value: &Option<Box<serde_json::value::RawValue>>| {
            let word = value.as_ref().filter(|_| of_run)?;
            serde_json::from_str(word.get()).ok()
        };
        Self {
            id: record.id,
            sequence: record.sequence,
            kind: record.action.clone(),
            time: record.at.into(),
            entity_type: record.entity_type.clone(),
            entity_id: record.entity_id,
            run_id: of_run.then_some(record.entity_id),
            workflow: record.workflow_name.clone(),
            workflow_id: record.workflow_id,
            step: record.step.clone(),
            status: status(&record.after),
            previous_status: status(&record.before),
            actor: record.actor.clone(),
            request_id: record.request_id.clone(),
            detail: record
                .detail
                .clone()
                .map(|detail| Json(retell(detail, DETAIL_TIMES))),
        }
    }
}

impl Example for Event {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-4411-7a52-8f2e-1d7f5c0e9a41", "sequence": 4, "type": "step.completed",
            "time": "2026-03-01T12:00:02.049Z", "entity_type": "step",
            "entity_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "run_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "workflow": "my-workflow",
            "workflow_id": "0199b6d0-11aa-7c02-9d7e-5a0e7c1f2b34", "step": "notify",
            "status": "completed", "previous_status": "running",
            "actor": "worker:0199b6cf-7d10-7b44-8a6e-0c1d2e3f4a5b", "request_id": null,
            "detail": {"attempt": 1},
        })
    }
}
