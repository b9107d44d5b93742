//! GET `/api/v1/runs/{id}/audit`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::run;

use super::id::RunId;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::json::Json;
use crate::list::List;
use crate::moment::{Moment, retell};
use crate::onward::{Onward, cursor};
use crate::query::Query;

/// Lists the audit records of a run and its steps, in the order of their numbers.
#[endpoint(operation_id = "list_run_audit")]
pub async fn list_run_audit(
    app: App,
    id: RunId,
    query: Query<Onward>,
) -> Result<Found<List<TrailRecord>>> {
    let after = query.0.after.map_or(0, |(sequence, _)| sequence.max(0));
    let page = app.store.trail(id.0, after, query.0.limit.into()).await?;
    let page = page.ok_or_else(|| id.unknown())?;
    let last = page.records.last().filter(|_| page.more);
    let next_cursor = last.map(|last| cursor(last.sequence, 0));
    Ok(Found(List {
        items: page.records.into_iter().map(TrailRecord::from).collect(),
        next_cursor,
        total: None,
    }))
}

/// Fields of a record's detail that hold a time.
pub(crate) const DETAIL_TIMES: &[&str] = &[
    "until",
    "next_attempt_at",
    "last_started_at",
    "last_finished_at",
];

/// One record of a run's audit trail.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RunAuditRecord"))]
pub struct TrailRecord {
    /// 1, 2, 3 … within the run, without gaps.
    pub sequence: i64,
    pub at: Moment,
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
            at: record.at.into(),
            entity_type: record.entity_type,
            step: record.step,
            action: record.action,
            before: record.before.map(Json),
            after: record.after.map(Json),
            detail: record
                .detail
                .map(|detail| Json(retell(detail, DETAIL_TIMES))),
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
            "actor": "worker:17", "request_id": null,
        })
    }
}
