//! POST `/api/v1/external/{topic}/poll`.

use std::time::Duration;

use salvo::Writer;
use salvo::oapi::{ToSchema, endpoint};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::detached::PutUpOn;
use stepwell_queue::external::{ITEMS_MAX, Leased};
use stepwell_queue::listen::Hint;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, broadcast};
use tokio::time::Instant;
use uuid::Uuid;

use super::lease;
use crate::App;
use crate::answer::{Found, Result};
use crate::body::{MaybeBody, work};
use crate::example::Example;
use crate::json::Json;
use crate::moment::Moment;
use crate::path;
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};
use crate::runs::limits::WAIT_MS_MAX;

/// Polls that wait at once: half of the requests in work, so that the other half finds room.
const WAITERS_MAX: usize = 512;
static WAITERS: Semaphore = Semaphore::const_new(WAITERS_MAX);
/// How long a poll waits before it looks unprompted: leases end and runs are resumed without a hint.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Characters of `worker`.
const WORKER_CHARS_MAX: usize = 200;

/// What a client asks for.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ExternalPoll"))]
pub struct ExternalPoll {
    /// Items at most, 1–100; 1 when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1, maximum = 100))]
    max: Option<u32>,
    /// Milliseconds to wait for the first item, up to 60,000; 0 when absent.
    #[serde(default)]
    #[salvo(schema(maximum = 60000))]
    wait_ms: Option<u32>,
    /// Who asks, for people.
    #[serde(default)]
    #[salvo(schema(max_length = 200))]
    worker: Option<String>,
    /// Milliseconds for which the items are leased, 1,000–3,600,000; 60,000 when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1000, maximum = 3600000))]
    lease_ms: Option<u64>,
}

impl Example for ExternalPoll {
    fn example() -> Value {
        json!({"max": 10, "wait_ms": 30_000, "worker": "press-3"})
    }
}

/// What there is to do. Empty when nothing came in time.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ExternalItems"))]
pub struct ExternalItems {
    items: Vec<ExternalItem>,
}

impl Example for ExternalItems {
    fn example() -> Value {
        json!({"items": [ExternalItem::example()]})
    }
}

/// A piece of work, leased to whoever asked.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "ExternalItem"))]
pub struct ExternalItem {
    /// For heartbeat, complete and fail.
    token: String,
    run_id: Uuid,
    workflow: String,
    /// `print`, or `print[17]` for an item of a map.
    step: String,
    /// From 1.
    attempt: u32,
    /// The same for every attempt and every lease of this step.
    idempotency_key: String,
    #[salvo(schema(value_type = Json))]
    input: Value,
    lease_until: Moment,
}

impl From<Leased> for ExternalItem {
    fn from(leased: Leased) -> Self {
        Self {
            token: leased.token,
            run_id: leased.run_id,
            workflow: leased.workflow,
            idempotency_key: format!("{}/{}/{}", leased.run_id, leased.step, leased.generation),
            step: leased.step,
            attempt: leased.attempt,
            input: std::sync::Arc::unwrap_or_clone(leased.input),
            lease_until: leased.until.into(),
        }
    }
}

impl Example for ExternalItem {
    fn example() -> Value {
        json!({
            "token": "AgGZttI8H3pSjy4dftwOmkEAAP____8AAAABAAAAAQAAAAAAAAABq1-3Qq0v",
            "run_id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "workflow": "orders",
            "step": "print", "attempt": 1,
            "idempotency_key": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41/print/1",
            "input": {"pages": 12}, "lease_until": "2026-03-01T12:01:02.031Z",
        })
    }
}

/// Leases work of a topic, and waits for some where there is none.
///
/// At least once: work whose lease ends without a result is given out again, under a new token.
#[endpoint(operation_id = "poll_external")]
pub async fn poll_external(
    app: App,
    topic: path::Word,
    _query: Query<Nothing>,
    body: MaybeBody<ExternalPoll>,
) -> Result<Found<ExternalItems>> {
    let ask = body.0;
    let mut faults = Faults::new();
    let max = ask.max.unwrap_or(1);
    if !(1..=ITEMS_MAX).contains(&max) {
        faults.push(Fault::at(
            "/max",
            format!("must be from 1 to {ITEMS_MAX}, not {max}"),
        ));
    }
    let wait_ms = ask.wait_ms.unwrap_or(0);
    if wait_ms > WAIT_MS_MAX {
        faults.push(Fault::at(
            "/wait_ms",
            format!("must be from 0 to {WAIT_MS_MAX}, not {wait_ms}"),
        ));
    }
    let holder = ask.worker.unwrap_or_default();
    if holder.chars().count() > WORKER_CHARS_MAX {
        faults.push(Fault::at(
            "/worker",
            format!("may have up to {WORKER_CHARS_MAX} characters"),
        ));
    }
    let lease = lease::read(ask.lease_ms, &mut faults);
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    let topic = topic.0;
    let deadline = Instant::now() + Duration::from_millis(wait_ms.into());
    // Before the first look, so that no hint is missed.
    let mut hints = (wait_ms > 0).then(|| app.store.hints());
    let mut place = None;
    loop {
        let items = app.store.poll_external(&topic, max, lease, &holder).await?;
        let over = app.shutdown.is_cancelled() || Instant::now() >= deadline;
        let Some(hints) = hints.as_mut().filter(|_| items.is_empty() && !over) else {
            let items = items.into_iter().map(ExternalItem::from).collect();
            return Ok(Found(ExternalItems { items }));
        };
        if place.is_none() {
            work::let_go();
            place = Some(WAITERS.try_acquire().map_err(|_| {
                let detail =
                    format!("{WAITERS_MAX} polls wait already; ask again, or without `wait_ms`.");
                Problem::new(Kind::Overloaded, detail)
            })?);
        }
        let look_at = deadline.min(Instant::now() + LOOK_EVERY);
        tokio::select! {
            () = put_up(hints, &topic) => {}
            () = tokio::time::sleep_until(look_at) => {}
            () = app.shutdown.cancelled() => {}
        }
    }
}

/// Ends when there may be work of this topic.
async fn put_up(hints: &mut broadcast::Receiver<Hint>, topic: &str) {
    loop {
        match hints.recv().await {
            Ok(Hint::PutUp {
                kind: PutUpOn::Topic,
                lane,
            }) if lane == topic => return,
            Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            // The store is closed: the look that follows says so.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
