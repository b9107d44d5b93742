//! Audit records as clients see them.

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use stepwell_queue::audit;
use uuid::Uuid;

use crate::example::Example;
use crate::json::Json;
use crate::moment::{Moment, retell};
use crate::runs::trail::DETAIL_TIMES;

/// One record of the audit log.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "AuditRecord"))]
pub struct AuditRecord {
    pub id: Uuid,
    pub at: Moment,
    /// `run`, `step`, `agent`, `workflow`, `queue`, `worker`, `record`, …
    pub entity_type: String,
    /// Of a step: its run's.
    pub entity_id: Uuid,
    /// 1, 2, 3 … within the entity, without gaps.
    pub sequence: i64,
    /// The step's name, where it is about one.
    pub step: Option<String>,
    /// `run.created`, `agent.updated`, …
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

impl From<audit::AuditRecord> for AuditRecord {
    fn from(record: audit::AuditRecord) -> Self {
        Self {
            id: record.id,
            at: record.at.into(),
            entity_type: record.entity_type,
            entity_id: record.entity_id,
            sequence: record.sequence,
            step: record.step,
            action: record.action,
            before: json_of(record.before),
            after: json_of(record.after),
            detail: json_of(record.detail).map(|Json(detail)| Json(retell(detail, DETAIL_TIMES))),
            actor: record.actor,
            request_id: record.request_id,
        }
    }
}

fn json_of(value: Option<Value>) -> Option<Json> {
    to_raw_value(&value?).ok().map(Json)
}

impl Example for AuditRecord {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c20-7d11-9b31-52c8f0a7d6e2", "at": "2026-03-01T12:00:00.000Z",
            "entity_type": "queue", "entity_id": "0199b6d0-11aa-7c02-9d7e-5a0e7c1f2b34",
            "sequence": 1, "step": null, "action": "queue.paused",
            "before": {"name": "default", "paused": false, "max_running": null},
            "after": {"name": "default", "paused": true, "max_running": null}, "detail": null,
            "actor": "anonymous", "request_id": "checkout-7f3a",
        })
    }
}
