//! POST `/api/v1/records/{id}/process`.

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::record::Processed;
use uuid::Uuid;

use super::{run, unknown};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::example::Example;
use crate::path::Id;
use crate::problem::{Kind, Problem};
use crate::query::{Nothing, Query};

/// A record and the run that processes it.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RecordProcessed"))]
pub struct RecordProcessed {
    record_id: Uuid,
    run_id: Uuid,
    /// The record's: `processing`, `processed` or `failed`.
    status: String,
}

impl Example for RecordProcessed {
    fn example() -> Value {
        json!({
            "record_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "run_id": "0199b6d2-3c20-7d11-9b31-52c8f0a7d6e2", "status": "processing",
        })
    }
}

/// Processes a record: runs the workflow that its category is bound to, on its payload.
///
/// A record is processed once. Whoever asks again, also at the same moment, hears of the same run. If
/// that run failed, retry the run: the record follows it.
#[endpoint(
    operation_id = "process_record",
    responses(
        (status_code = 409, description = "No route takes such a record, or its workflow is inactive or deleted.", body = Problem, content_type = "application/problem+json"),
        (status_code = 422, description = "The workflow does not take the record's payload.", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn process_record(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Accepted<RecordProcessed>> {
    let record = app.store.record(id.0).await?.ok_or_else(|| unknown(id))?;
    if let Some(run_id) = record.run_id {
        return Ok(answer(id.0, run_id, record.status));
    }
    let route = app.store.route_of(&record.category, &record.source).await?;
    let route = route.ok_or_else(|| {
        Problem::new(
            Kind::StateConflict,
            format!(
                "No route binds the category {:?} to a workflow; POST one to /api/v1/record-routes.",
                record.category
            ),
        )
    })?;
    let made = run::of(&app, &route, id.0, record.payload, &caller.0).await;
    let run = made.map_err(|problem| match problem.kind() {
        Kind::NotFound => Problem::new(
            Kind::StateConflict,
            format!(
                "The workflow {:?} of the route was deleted; bind the category anew.",
                route.workflow
            ),
        ),
        _ => problem,
    })?;
    match app.store.process_record(id.0, &run).await? {
        Processed::Started => Ok(answer(id.0, run.id, "processing".to_owned())),
        Processed::Before { run_id, status } => Ok(answer(id.0, run_id, status)),
        Processed::NotFound => Err(unknown(id)),
    }
}

fn answer(record_id: Uuid, run_id: Uuid, status: String) -> Accepted<RecordProcessed> {
    Accepted::Now {
        body: RecordProcessed {
            record_id,
            run_id,
            status,
        },
        location: Some(format!("/api/v1/runs/{run_id}")),
    }
}
