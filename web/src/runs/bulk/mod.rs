//! POST `/api/v1/runs/cancel` and `/api/v1/runs/retry`: many runs at once, each as by hand.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::StreamExt;
use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::inbox::{Retried, Word};
use stepwell_queue::run::RunFilter;
use stepwell_queue::{Actor, Sent};
use stepwell_workflow::{RunStatus, Time};
use uuid::Uuid;

use super::limits::{BULK_RUNS_MAX, REASON_CHARS_MAX, STATUSES};
use super::list;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::example::Example;
use crate::labels;
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Query};

/// Runs looked up at a time.
const BATCH: i64 = 200;
/// Runs acted upon at once: a few connections of the pool, so that other requests find one too.
const AT_ONCE: usize = 4;
/// After this time no further batch is begun: well within what an answer may take.
const TIME_MAX: Duration = Duration::from_secs(40);
/// Runs that a cancel means when no status is given: those that are not over.
const LIVE: &[&str] = &["pending", "running", "waiting", "paused"];
/// Runs that a retry means when no status is given.
const RETRIABLE: &[&str] = &["failed", "cancelled", "timed_out"];

/// Which runs are meant: what a list of runs is filtered by.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "RunFilter"))]
pub struct FilterInput {
    /// Any of these statuses.
    #[serde(default)]
    status: Option<Vec<String>>,
    /// By id or slug.
    #[serde(default)]
    workflow_id: Option<String>,
    /// Created at this time or later, to the millisecond.
    #[serde(default)]
    created_after: Option<Time>,
    /// Created before this time, to the millisecond.
    #[serde(default)]
    created_before: Option<Time>,
    /// All of these labels.
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    queue: Option<String>,
    /// Runs that this run started.
    #[serde(default)]
    parent_id: Option<Uuid>,
}

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
    let mut faults = Vec::new();
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
    let meant = meant(&app, ids, filter, RETRIABLE, Vec::new()).await?;
    let done = over(&app, meant, &Deed::Retry { reset }, &caller.0).await?;
    Ok(Found(RetriedRuns {
        matched: done.matched,
        retried: done.done,
        skipped: done.skipped,
        more: done.more,
    }))
}

/// `None`: done; else why not.
type Outcome = Result<Option<&'static str>>;

/// What is done to each run.
#[derive(Clone)]
enum Deed {
    Cancel { reason: Option<String> },
    Retry { reset: bool },
}

impl Deed {
    async fn act(self, app: App, id: Uuid, actor: Actor) -> Outcome {
        match self {
            Self::Cancel { reason } => {
                let sent = app.store.send(id, Word::Cancel { reason }, actor).await?;
                Ok(match sent {
                    Sent::Accepted | Sent::Cancelled => None,
                    Sent::NotFound => Some("not_found"),
                    Sent::Over(RunStatus::Cancelled) => Some("already_cancelled"),
                    Sent::Over(status) => Some(status.as_str()),
                })
            }
            Self::Retry { reset } => Ok(match app.store.retry(id, None, reset, actor).await? {
                Retried::Accepted { .. } => None,
                Retried::NotFound => Some("not_found"),
                Retried::Completed => Some("completed"),
                Retried::NotOver(_) => Some("not_over"),
                Retried::Duplicate { .. } => Some("dedupe_key"),
            }),
        }
    }
}

/// Which runs are meant.
enum Meant {
    Ids(Vec<Uuid>),
    Fitting(Box<RunFilter>),
    Nothing,
}

async fn meant(
    app: &App,
    ids: Option<Vec<Uuid>>,
    filter: Option<FilterInput>,
    default: &[&str],
    mut faults: Vec<Fault>,
) -> Result<Meant> {
    let filter = match (ids, filter) {
        (Some(mut ids), None) => {
            if !(1..=BULK_RUNS_MAX).contains(&ids.len()) {
                let detail = format!("must have 1 to {BULK_RUNS_MAX} ids, not {}", ids.len());
                faults.push(Fault::at("/ids", detail));
            }
            if faults.is_empty() {
                ids.sort_unstable();
                ids.dedup();
                return Ok(Meant::Ids(ids));
            }
            return Err(Problem::invalid(faults));
        }
        (None, Some(filter)) => filter,
        _ => {
            faults.push(Fault::at("", "give ids or filter, one of the two"));
            return Err(Problem::invalid(faults));
        }
    };
    let words = filter.status.unwrap_or_default();
    for (index, word) in words.iter().enumerate() {
        if !STATUSES.contains(&word.as_str()) {
            let detail = format!("must be one of {}, not {word:?}", STATUSES.join(", "));
            faults.push(Fault::at(format!("/filter/status/{index}"), detail));
        }
    }
    let wanted = filter.labels.unwrap_or_default();
    labels::check(&wanted, "/filter/labels", &mut faults);
    if words.is_empty()
        && wanted.is_empty()
        && filter.workflow_id.is_none()
        && filter.created_after.is_none()
        && filter.created_before.is_none()
        && filter.queue.is_none()
        && filter.parent_id.is_none()
    {
        let detail = "is empty; to mean every run, give the statuses";
        faults.push(Fault::at("/filter", detail));
    }
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let workflow_id = match &filter.workflow_id {
        None => None,
        Some(name) => match list::workflow_id(app, name).await? {
            Some(id) => Some(id),
            None => return Ok(Meant::Nothing),
        },
    };
    let statuses: Vec<&str> = if words.is_empty() {
        default.to_vec()
    } else {
        words.iter().map(String::as_str).collect()
    };
    Ok(Meant::Fitting(Box::new(RunFilter {
        statuses: statuses.into_iter().filter_map(list::status).collect(),
        workflow_id,
        created_after: filter.created_after,
        created_before: filter.created_before,
        labels: wanted,
        queue: filter.queue,
        parent_id: filter.parent_id,
        // What is made meanwhile is not meant.
        oldest_first: false,
        after: None,
        offset: 0,
        limit: BATCH,
    })))
}

/// How it went.
#[derive(Default)]
struct Done {
    matched: u64,
    done: u64,
    skipped: BTreeMap<String, u64>,
    more: bool,
}

/// Acts on each run that is meant, a batch at a time.
async fn over(app: &App, meant: Meant, deed: &Deed, actor: &Actor) -> Result<Done> {
    let begun = Instant::now();
    let mut done = Done::default();
    match meant {
        Meant::Nothing => {}
        Meant::Ids(ids) => {
            for batch in ids.chunks(usize::try_from(BATCH).unwrap_or(1)) {
                if begun.elapsed() > TIME_MAX {
                    done.more = true;
                    break;
                }
                done.take(app, batch.to_vec(), deed, actor).await?;
            }
        }
        Meant::Fitting(mut filter) => loop {
            let (ids, more) = app.store.run_ids(&filter).await?;
            filter.after = ids.last().copied();
            done.take(app, ids, deed, actor).await?;
            if !more {
                break;
            }
            if done.matched >= BULK_RUNS_MAX as u64 || begun.elapsed() > TIME_MAX {
                done.more = true;
                break;
            }
        },
    }
    Ok(done)
}

impl Done {
    async fn take(&mut self, app: &App, ids: Vec<Uuid>, deed: &Deed, actor: &Actor) -> Result<()> {
        self.matched += ids.len() as u64;
        let acts: Vec<_> = ids
            .into_iter()
            .map(|id| deed.clone().act(app.clone(), id, actor.clone()))
            .collect();
        let mut outcomes = futures::stream::iter(acts).buffered(AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            match outcome? {
                None => self.done += 1,
                Some(why) => *self.skipped.entry(why.to_owned()).or_default() += 1,
            }
        }
        Ok(())
    }
}
