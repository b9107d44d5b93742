//! GET `/api/v1/runs/{id}/report`.

use std::collections::BTreeMap;

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::run;
use uuid::Uuid;

use super::id::RunId;
use crate::App;
use crate::answer::{Found, Result};
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;
use crate::query::{Nothing, Query};

/// A run in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "RunReport"))]
pub struct Report {
    run_id: Uuid,
    workflow_name: String,
    version: i32,
    status: &'static str,
    generation: i32,
    started_at: Option<Moment>,
    finished_at: Option<Moment>,
    /// From the start to the end; null while the run goes on.
    duration_ms: Option<i64>,
    /// Steps of the definition.
    steps_total: usize,
    /// How many steps have which status; statuses that none has are left out.
    steps_by_status: BTreeMap<&'static str, i64>,
    /// Items of all maps that have begun.
    items_total: i64,
    items_by_status: BTreeMap<&'static str, i64>,
    /// Attempts of all steps and items.
    attempts: i64,
    /// In the order in which they wait for each other.
    steps: Vec<StepReport>,
}

/// One step in numbers.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "StepReport"))]
pub struct StepReport {
    name: String,
    r#type: &'static str,
    status: &'static str,
    attempts: i64,
    /// How long it took; of a map, how long its items took. Null where nothing has finished.
    duration_ms: Option<Durations>,
    /// Of a map; else null.
    items: Option<Items>,
}

/// Milliseconds.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ReportDurations"))]
pub struct Durations {
    min: f64,
    median: f64,
    max: f64,
    sum: f64,
}

/// The items of a map.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ReportItems"))]
pub struct Items {
    total: i64,
    by_status: BTreeMap<&'static str, i64>,
    /// What completed items came to, the most frequent first, at most 20. Of a decision its value.
    values: Vec<ValueCount>,
    /// Completed items that came to something else, or to something over 256 bytes.
    other_values: i64,
}

/// A value and how many items came to it.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ReportValue"))]
pub struct ValueCount {
    #[salvo(schema(value_type = Json))]
    value: Json,
    count: i64,
}

impl From<run::StepReport> for StepReport {
    fn from(step: run::StepReport) -> Self {
        // Microseconds are what the clock tells.
        let rounded = |ms: f64| (ms * 1_000.0).round() / 1_000.0;
        Self {
            name: step.name.to_string(),
            r#type: step.kind,
            status: step.status.as_str(),
            attempts: step.attempts,
            duration_ms: step.durations.map(|durations| Durations {
                min: rounded(durations.min),
                median: rounded(durations.median),
                max: rounded(durations.max),
                sum: rounded(durations.sum),
            }),
            items: step.items.map(|items| Items {
                total: items.total,
                by_status: items.by_status,
                values: items
                    .values
                    .into_iter()
                    .map(|(value, count)| ValueCount {
                        value: Json(value),
                        count,
                    })
                    .collect(),
                other_values: items.other_values,
            }),
        }
    }
}

impl From<run::Report> for Report {
    fn from(report: run::Report) -> Self {
        let run = report.run;
        let mut steps_by_status = BTreeMap::new();
        let mut items_by_status: BTreeMap<&'static str, i64> = BTreeMap::new();
        let (mut items_total, mut attempts) = (0, 0);
        for step in &report.steps {
            *steps_by_status.entry(step.status.as_str()).or_default() += 1;
            attempts += step.attempts;
            if let Some(items) = &step.items {
                items_total += items.total;
                for (status, count) in &items.by_status {
                    *items_by_status.entry(status).or_default() += count;
                }
            }
        }
        let duration = run.started_at.zip(run.finished_at);
        Self {
            run_id: run.id,
            workflow_name: run.workflow_name,
            version: run.version,
            status: run.status.as_str(),
            generation: run.generation,
            started_at: run.started_at.map(Moment::from),
            finished_at: run.finished_at.map(Moment::from),
            duration_ms: duration.map(|(from, to)| (to - from).num_milliseconds()),
            steps_total: report.steps.len(),
            steps_by_status,
            items_total,
            items_by_status,
            attempts,
            steps: report.steps.into_iter().map(StepReport::from).collect(),
        }
    }
}

impl Example for Report {
    fn example() -> Value {
        let durations = json!({"min": 4.1, "median": 11.7, "max": 60.2, "sum": 6031.5});
        json!({
            "run_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "workflow_name": "impact", "version": 3,
            "status": "completed", "generation": 1, "started_at": "2026-03-01T12:00:00.020Z",
            "finished_at": "2026-03-01T12:00:01.020Z", "duration_ms": 1000, "steps_total": 1,
            "steps_by_status": {"completed": 1}, "items_total": 500,
            "items_by_status": {"completed": 499, "failed": 1}, "attempts": 503,
            "steps": [{"name": "judge", "type": "map", "status": "completed", "attempts": 503,
                "duration_ms": durations, "items": {"total": 500,
                    "by_status": {"completed": 499, "failed": 1},
                    "values": [{"value": "eligible", "count": 312}, {"value": "denied", "count": 187}],
                    "other_values": 0}}],
        })
    }
}

/// Reports on a run in numbers: statuses, durations, and what the items of its maps came to.
///
/// A step that has not begun is `pending`, or `skipped` when the run is over. After a retry the newest
/// attempt at each step and item counts.
#[endpoint(operation_id = "get_run_report")]
pub async fn get_run_report(app: App, id: RunId, _query: Query<Nothing>) -> Result<Found<Report>> {
    let report = app.store.run_report(id.0).await?;
    report
        .map(|report| Found(report.into()))
        .ok_or_else(|| id.unknown())
}
