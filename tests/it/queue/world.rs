//! A database with a store on it, and short ways to make runs and changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use apalis_core::backend::{Backend as _, TaskStream};
use apalis_core::task::Task;
use apalis_core::worker::context::WorkerContext;
use futures::StreamExt as _;
use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_queue::commit::StepWrite;
use stepwell_queue::new_run::{Answer, Idempotency};
use stepwell_queue::store::StoreOptions;
use stepwell_queue::worker::WorkerOptions;
use stepwell_queue::{Actor, Changes, Claimed, End, Error, NewRun, Store, Worker};
use stepwell_workflow::{BlockedOn, Record, RunStatus, StepKey, StepSnapshot, StepStatus, Time};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::harness::{Database, PATIENCE, until};

/// A store on a database of its own.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) db: Database,
    pub(crate) store: Store,
}

impl World {
    pub(crate) async fn new() -> Self {
        let db = Database::migrated().await;
        let store = open(&db.url);
        Self { db, store }
    }

    /// Another process's store on the same database.
    pub(crate) fn other(&self) -> Store {
        open(&self.db.url)
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
        self.db.drop_it().await;
    }

    /// Waits until a query gives this number.
    pub(crate) async fn until(&self, sql: &str, wanted: i64) {
        self.until_it(sql, &format!("{wanted}"), |number| number == wanted)
            .await;
    }

    /// Waits until a query gives this number or more.
    pub(crate) async fn until_at_least(&self, sql: &str, wanted: i64) {
        self.until_it(sql, &format!("{wanted} or more"), |number| number >= wanted)
            .await;
    }

    async fn until_it(&self, sql: &str, wanted: &str, met: impl Fn(i64) -> bool) {
        until(&format!("{sql} gives {wanted}"), PATIENCE, async || {
            met(self.db.number(sql).await).then_some(())
        })
        .await;
    }
}

pub(crate) fn open(url: &str) -> Store {
    Store::open(StoreOptions {
        url: url.into(),
        pool_max: 4,
        acquire_timeout: Duration::from_secs(5),
        listen: true,
        retention: stepwell_queue::retention::Retention::default(),
        master_key: None,
    })
    .unwrap()
}

/// A worker with its claims.
pub(crate) struct Hand {
    pub(crate) worker: Worker,
    pub(crate) stop: CancellationToken,
    claims: TaskStream<Task<Claimed, stepwell_queue::backend::Context, Uuid>, Error>,
}

impl Hand {
    pub(crate) async fn new(store: &Store) -> Self {
        Self::with(store, options()).await
    }

    pub(crate) async fn with(store: &Store, options: WorkerOptions) -> Self {
        let worker = store.register(options).await.unwrap();
        let stop = CancellationToken::new();
        let claims = worker
            .backend(stop.clone())
            .poll(&WorkerContext::new::<()>("test"));
        Self {
            worker,
            stop,
            claims,
        }
    }

    /// The next run that this worker claims.
    pub(crate) async fn next(&mut self) -> Claimed {
        let next = tokio::time::timeout(PATIENCE, self.claims.next());
        next.await
            .expect("a run is claimed")
            .unwrap()
            .unwrap()
            .unwrap()
            .args
    }

    /// Whether nothing is claimed for a while.
    pub(crate) async fn idle(&mut self, period: Duration) -> bool {
        tokio::time::timeout(period, self.claims.next())
            .await
            .is_err()
    }
}

pub(crate) fn options() -> WorkerOptions {
    WorkerOptions {
        name: "test".into(),
        queues: vec!["default".into()],
        slots: 100,
        heartbeat: Duration::from_millis(200),
        dead_after: Duration::from_millis(1_500),
        poll: Duration::from_millis(300),
    }
}

pub(crate) fn actor() -> Actor {
    Actor {
        name: "tester".into(),
        request_id: Some("request-1".into()),
        traceparent: None,
    }
}

pub(crate) fn new_run() -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        workflow_id: Uuid::nil(),
        workflow_name: Arc::from("test"),
        version: 1,
        steps_total: 2,
        input: RawValue::from_string(r#"{"n":1}"#.into()).unwrap().into(),
        queue: Arc::from("default"),
        priority: 0,
        run_at: None,
        timeout_ms: None,
        labels: BTreeMap::new(),
        dedupe_key: None,
        place: None,
        callback_url: None,
        parent: None,
        awaited: false,
        actor: actor(),
        created_at: chrono::Utc::now(),
        idempotency: None,
    }
}

pub(crate) fn key(key: &str, request: &str) -> Idempotency {
    Idempotency {
        scope: "tester POST /runs".into(),
        key: key.into(),
        fingerprint: request.as_bytes().to_vec(),
        answer: Answer {
            status: 202,
            location: Some("/api/v1/runs/1".into()),
            body: RawValue::from_string(format!("{{\"request\":\"{request}\"}}"))
                .unwrap()
                .into(),
        },
    }
}

/// A completed step.
pub(crate) fn step(n: u16, status: StepStatus, exists: bool) -> StepWrite {
    StepWrite {
        snapshot: StepSnapshot {
            key: StepKey {
                step: n,
                item: None,
            },
            name: format!("step_{n}"),
            kind: "task",
            generation: 1,
            status,
            attempt: 1,
            max_attempts: 3,
            input: Some(Arc::new(Value::from("in"))),
            output: status.is_terminal().then(|| Arc::new(Value::from(n))),
            error: None,
            started_at: Some(chrono::Utc::now()),
            finished_at: status.is_terminal().then(chrono::Utc::now),
            wake_at: None,
            child_run_id: None,
        },
        exists,
    }
}

pub(crate) fn record(sequence: i64, action: &'static str) -> Record {
    Record {
        sequence,
        step: None,
        action,
        before: None,
        after: None,
        detail: None,
        actor: None,
        request_id: None,
    }
}

/// Changes of a claimed run with this many records after those it had.
pub(crate) fn changes(claimed: &Claimed, records: i64) -> Changes {
    let from = claimed.header.sequence;
    Changes {
        run_id: claimed.header.id,
        generation: claimed.header.generation,
        records: (1..=records)
            .map(|n| record(from + n, "run.noted"))
            .collect(),
        sequence: from + records,
        ..Changes::default()
    }
}

pub(crate) fn completed(output: Value) -> End {
    End::Finished {
        status: RunStatus::Completed,
        output: Some(Arc::new(output)),
        error: None,
        finished_at: chrono::Utc::now(),
        cancelled_by: None,
        cancel_reason: None,
        parent: None,
    }
}

pub(crate) fn released(wake_at: Option<Time>) -> End {
    End::Released {
        wake_at,
        blocked_on: BlockedOn {
            kind: if wake_at.is_some() { "delay" } else { "signal" },
            since: chrono::Utc::now(),
            until: wake_at,
            detail: None,
        },
    }
}
