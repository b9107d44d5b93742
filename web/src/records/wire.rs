//! Records and routes as clients send and see them.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::record;
use uuid::Uuid;

use super::limits::WORD_CHARS_MAX;
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;
use crate::problem::{Fault, Faults};

/// A record that comes in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RecordInput"))]
pub struct RecordInput {
    /// Where it comes from.
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub source: String,
    /// What it is: routes bind it to a workflow.
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub category: String,
    /// The input of the run that processes it.
    #[salvo(schema(value_type = Json))]
    pub payload: Json,
}

impl Example for RecordInput {
    fn example() -> Value {
        json!({"source": "crm", "category": "invoice", "payload": {"number": "A-17", "amount": 120}})
    }
}

/// A record as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Record"))]
pub struct Record {
    pub id: Uuid,
    pub source: String,
    pub category: String,
    /// `pending`, `processing`, `processed` or `failed`.
    pub status: String,
    #[salvo(schema(value_type = Json))]
    pub payload: Json,
    /// The one run that processes it, or null.
    pub run_id: Option<Uuid>,
    pub created_by: String,
    pub created_at: Moment,
    pub updated_at: Moment,
}

impl From<record::Record> for Record {
    fn from(record: record::Record) -> Self {
        Self {
            id: record.id,
            source: record.source,
            category: record.category,
            status: record.status,
            payload: Json(record.payload),
            run_id: record.run_id,
            created_by: record.created_by,
            created_at: record.created_at.into(),
            updated_at: record.updated_at.into(),
        }
    }
}

impl Example for Record {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "source": "crm", "category": "invoice",
            "status": "pending", "payload": {"number": "A-17", "amount": 120}, "run_id": null,
            "created_by": "anonymous", "created_at": "2026-03-01T12:00:00.000Z",
            "updated_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

/// A category to be bound to a workflow.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RecordRouteInput"))]
pub struct RouteInput {
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub category: String,
    /// Only records from there; from anywhere when absent. The route of a source comes before that of
    /// any.
    #[serde(default)]
    #[salvo(schema(min_length = 1, max_length = 128))]
    pub source: Option<String>,
    /// The slug or id.
    pub workflow: String,
    /// Whether records are processed as soon as they come in.
    #[serde(default)]
    #[salvo(schema(default = false))]
    pub auto: bool,
}

impl Example for RouteInput {
    fn example() -> Value {
        json!({"category": "invoice", "workflow": "book-invoice", "auto": true})
    }
}

/// A category that is bound to a workflow.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RecordRoute"))]
pub struct Route {
    pub id: Uuid,
    pub category: String,
    /// Null: any.
    pub source: Option<String>,
    /// The workflow's slug.
    pub workflow: String,
    pub workflow_id: Uuid,
    pub auto: bool,
    pub created_by: String,
    pub created_at: Moment,
}

impl From<record::Route> for Route {
    fn from(route: record::Route) -> Self {
        Self {
            id: route.id,
            category: route.category,
            source: route.source,
            workflow: route.workflow,
            workflow_id: route.workflow_id,
            auto: route.auto,
            created_by: route.created_by,
            created_at: route.created_at.into(),
        }
    }
}

impl Example for Route {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "category": "invoice", "source": null,
            "workflow": "book-invoice", "workflow_id": "0199b6d0-11aa-7c02-9d7e-5a0e7c1f2b34",
            "auto": true, "created_by": "anonymous", "created_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

/// Adds what is wrong with a category or a source.
pub(super) fn check_word(word: &str, pointer: &str, faults: &mut Faults) {
    if word.trim().is_empty() || word.chars().count() > WORD_CHARS_MAX {
        let detail = format!("must have 1 to {WORD_CHARS_MAX} characters, not only spaces");
        faults.push(Fault::at(pointer, detail));
    }
}
