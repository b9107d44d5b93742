//! POST `/api/v1/runs/cancel` and `/api/v1/runs/retry`: many runs at once, each as by hand.

mod course;
mod deed;
mod meant;

use std::collections::BTreeMap;

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use self::course::over;
use self::deed::Deed;
pub use self::meant::FilterInput;
use self::meant::meant;
use super::limits::REASON_CHARS_MAX;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::example::Example;
use crate::problem::{Fault, Faults};
use crate::query::{Nothing, Query};

/// Runs that a cancel means when no status is given: those that are not over.
const LIVE: &[&str] = &["pending", "running", "waiting", "paused"];
/// Runs that a retry means when no status is given.
const RETRIABLE: &[&str] = &["failed", "cancelled", "timed_out"];

/// Runs to be cancelled, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "BulkCancelInput"))]
pub struct CancelInput {
    /// These runs; up to 10,000.
    #[serde(default)]
    #[salvo(schema(max_items = 10_000))]
    ids: Option<Vec<Uuid>>,
    /// Or those that fit; without a status, those that are not over.
    #[serde(default)]
    filter: Option<FilterInput>,
    /// For the runs and their trails.
    #[serde(default)]
    #[salvo(schema(max_length = 1000))]
    reason: Option<String>,
}

/// Runs to be retried.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "BulkRetryInput"))]
pub struct RetryInput {
    /// These runs; up to 10,000.
    #[serde(default)]
    #[salvo(schema(max_items = 10_000))]
    ids: Option<Vec<Uuid>>,
    /// Or those that fit; without a status, those that failed, were cancelled or timed out.
    #[serde(default)]
    filter: Option<FilterInput>,
    /// Every step runs again.
    #[serde(default)]
    #[salvo(schema(default = false))]
    reset: bool,
}

impl Example for CancelInput {
    fn example() -> Value {
        json!({"filter": {"workflow_id": "my-workflow", "status": ["pending"]},
            "reason": "The import was wrong."})
    }
}

impl Example for RetryInput {
    fn example() -> Value {
        json!({"filter": {"workflow_id": "my-workflow", "created_after": "2026-03-01T00:00:00Z"}})
    }
}

/// What came of cancelling many runs.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "BulkCancelled"))]
pub struct Cancelled {
    /// Runs that were named or fit.
    matched: u64,
    /// Runs that are cancelled, or will be as soon as their worker hears of it.
    cancelled: u64,
    /// Runs that were left alone, by reason: `not_found`, `already_cancelled`, or the status in which
    /// the run ended.
    skipped: BTreeMap<String, u64>,
    /// Whether there are more that fit: ask again.
    more: bool,
}

/// What came of retrying many runs.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "BulkRetried"))]
pub struct RetriedRuns {
    /// Runs that were named or fit.
    matched: u64,
    /// Runs whose next generation is on its way.
    retried: u64,
    /// Runs that were left alone, by reason: `not_found`, `completed`, `not_over`, or `dedupe_key`
    /// when another live run has it.
    skipped: BTreeMap<String, u64>,
    /// Whether there are more that fit: ask again.
    more: bool,
}

impl Example for Cancelled {
    fn example() -> Value {
        json!({"matched": 212, "cancelled": 209, "skipped": {"completed": 3}, "more": false})
    }
}

impl Example for RetriedRuns {
    fn example() -> Value {
        json!({"matched": 40, "retried": 39, "skipped": {"dedupe_key": 1}, "more": false})
    }
}

/// Cancels many runs, by their ids or by a filter.
///
/// Each is cancelled as by hand, with its own audit record. Up to 10,000 at a time: `more` says that
/// there are others. Safe to repeat.
#[endpoint(operation_id = "cancel_runs")]
pub async fn cancel_runs(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<CancelInput>,
) -> Result<Found<Cancelled>> {
    let CancelInput {
        ids,
        filter,
        reason,
    } = body.0;
    let mut faults = Faults::new();
    if let Some(reason) = &reason
        && reason.chars().count() > REASON_CHARS_MAX
    {
        let detail = format!("may have up to {REASON_CHARS_MAX} characters");
        faults.push(Fault::at("/reason", detail));
    }
    let meant = meant(&app, ids, filter, LIVE, faults).await?;
    let deed = Deed::Cancel { reason };
    let done = over(&app, meant, &deed, &caller.0).await?;
    Ok(Found(Cancelled {
        matched: done.matched,
        cancelled: done.done,
        skipped: done.skipped,
        more: done.more,
    }))
}

/// Retries many runs, by their ids or by a filter.
///
/// Each is retried as by hand, with its own audit record. Up to 10,000 at a time: `more` says that
/// there are others. Safe to repeat.
#[endpoint(operation_id = "retry_runs")]
pub async fn retry_runs(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<RetryInput>,
) -> Result<Found<RetriedRuns>> {
    let RetryInput { ids, filter, reset } = body.0;
    let meant = meant(&app, ids, filter, RETRIABLE, Faults::new()).await?;
    let done = over(&app, meant, &Deed::Retry { reset }, &caller.0).await?;
    Ok(Found(RetriedRuns {
        matched: done.matched,
        retried: done.done,
        skipped: done.skipped,
        more: done.more,
    }))
}
