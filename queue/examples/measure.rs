//! Measures the raw hot path on an empty database: bulk enqueue, then five-step no-op runs from claim
//! to finish through the group commit, with 1,000 runs held at once.
//!
//! `DATABASE_URL=postgres://… cargo run --release -p stepwell-queue --example measure [runs]`

#![allow(
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    reason = "it prints figures, and may fail loudly"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apalis_core::backend::Backend as _;
use apalis_core::worker::context::WorkerContext;
use futures::StreamExt as _;
use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_queue::commit::StepWrite;
use stepwell_queue::store::StoreOptions;
use stepwell_queue::worker::WorkerOptions;
use stepwell_queue::{Actor, Changes, Claimed, Committed, Committer, End, NewRun, Store};
use stepwell_workflow::{Record, RunStatus, StepKey, StepSnapshot, StepStatus};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

const STEPS: u16 = 5;
const SLOTS: usize = 1_000;
const BATCH: usize = 2_000;

#[tokio::main]
async fn main() {
    let runs: usize = std::env::args()
        .nth(1)
        .map_or(20_000, |n| n.parse().unwrap());
    let store = Store::open(StoreOptions {
        url: std::env::var("DATABASE_URL").unwrap().into(),
        pool_max: 4,
        acquire_timeout: Duration::from_secs(5),
        listen: true,
        master_key: None,
    })
    .unwrap();
    store.migrate_up().await.unwrap();

    let wal = Wal::new().await;
    let written = wal.bytes().await;
    let begun = Instant::now();
    for _ in 0..runs.div_ceil(BATCH) {
        let batch = (0..BATCH).map(|_| new_run()).collect();
        store.enqueue_batch(batch, None).await.unwrap();
    }
    rate("enqueue_batch, runs", runs, begun.elapsed());
    let enqueued = wal.bytes().await;
    println!(
        "WAL: {} bytes per enqueued run",
        (enqueued - written) / runs as i64
    );

    let worker = store
        .register(WorkerOptions {
            name: "measure".into(),
            queues: vec!["default".into()],
            slots: SLOTS,
            heartbeat: Duration::from_secs(5),
            dead_after: Duration::from_secs(20),
            poll: Duration::from_secs(1),
        })
        .await
        .unwrap();
    let stop = CancellationToken::new();
    let context = WorkerContext::new::<()>("measure");
    let mut claims = worker.backend(stop.clone()).poll(&context);
    let committer = worker.committer();
    let drivers = TaskTracker::new();
    let begun = Instant::now();
    for _ in 0..runs {
        let task = claims.next().await.unwrap().unwrap().unwrap();
        drivers.spawn(drive(task.args, committer.clone()));
    }
    drivers.close();
    drivers.wait().await;
    let took = begun.elapsed();
    rate("steps", runs * usize::from(STEPS), took);
    rate("runs", runs, took);
    let steps = runs as i64 * i64::from(STEPS);
    let (done, all) = (wal.bytes().await - enqueued, wal.bytes().await - written);
    println!(
        "WAL: {} bytes per step, {} with the enqueue",
        done / steps,
        all / steps
    );
    let counters = store.counters();
    println!(
        "claims {} (full {}), commits {} in {} batches",
        counters.claims.get(),
        counters.full_scans.get(),
        counters.commits.get(),
        counters.commit_batches.get(),
    );

    let begun = Instant::now();
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..runs / 64 {
                    let mut run = new_run();
                    run.queue = Arc::from("elsewhere");
                    store.enqueue(run).await.unwrap();
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    rate("enqueue by 64 callers, runs", runs, begun.elapsed());

    let mut waits = Vec::new();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        store.enqueue(new_run()).await.unwrap();
        let begun = Instant::now();
        let task = claims.next().await.unwrap().unwrap().unwrap();
        waits.push(begun.elapsed());
        drive(task.args, committer.clone()).await;
    }
    waits.sort();
    println!(
        "idle, enqueued to claimed: p50 {:?}, p99 {:?}",
        waits[50], waits[98]
    );
    stop.cancel();
    drop(claims);
    worker.retire().await;
    store.close().await;
}

/// Reads how much the server has written.
struct Wal(sqlx::PgPool);

impl Wal {
    async fn new() -> Self {
        let url = std::env::var("DATABASE_URL").unwrap();
        Self(sqlx::PgPool::connect(&url).await.unwrap())
    }

    async fn bytes(&self) -> i64 {
        sqlx::query_scalar("select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint")
            .fetch_one(&self.0)
            .await
            .unwrap()
    }
}

fn rate(what: &str, count: usize, took: Duration) {
    println!(
        "{what}: {:.0}/s ({took:.2?})",
        count as f64 / took.as_secs_f64()
    );
}

fn new_run() -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        workflow_id: Uuid::nil(),
        workflow_name: Arc::from("measure"),
        version: 1,
        steps_total: i32::from(STEPS),
        input: RawValue::from_string(r#"{"n":1}"#.into()).unwrap().into(),
        queue: Arc::from("default"),
        priority: 0,
        run_at: None,
        timeout_ms: None,
        labels: BTreeMap::new(),
        dedupe_key: None,
        parent: None,
        awaited: false,
        actor: Actor {
            name: "measure".into(),
            request_id: None,
        },
        created_at: chrono::Utc::now(),
        idempotency: None,
    }
}

async fn drive(claimed: Claimed, committer: Committer) {
    let header = claimed.header;
    let mut sequence = header.sequence;
    let output = Arc::new(Value::from(1));
    for step in 0..STEPS {
        let now = chrono::Utc::now();
        let last = step + 1 == STEPS;
        let mut records = Vec::new();
        let mut record = |step: Option<&str>, action, before, after| {
            sequence += 1;
            records.push(Record {
                sequence,
                step: step.map(str::to_owned),
                action,
                before,
                after: Some(after),
                detail: None,
                actor: None,
                request_id: None,
            });
        };
        let name = format!("step_{step}");
        if step == 0 {
            record(None, "run.started", Some("pending"), "running");
        }
        record(Some(&name), "step.completed", Some("pending"), "completed");
        if last {
            record(None, "run.completed", Some("running"), "completed");
        }
        let changes = Changes {
            run_id: header.id,
            generation: header.generation,
            steps: vec![StepWrite {
                snapshot: StepSnapshot {
                    key: StepKey { step, item: None },
                    name,
                    kind: "task",
                    generation: header.generation,
                    status: StepStatus::Completed,
                    attempt: 1,
                    max_attempts: 3,
                    input: Some(Arc::clone(&output)),
                    output: Some(Arc::clone(&output)),
                    error: None,
                    started_at: Some(now),
                    finished_at: Some(now),
                    wake_at: None,
                    child_run_id: None,
                },
                exists: false,
            }],
            records,
            started_at: (step == 0).then_some(now),
            sequence,
            end: last.then(|| End::Finished {
                status: RunStatus::Completed,
                output: Some(Arc::clone(&output)),
                error: None,
                finished_at: now,
                cancelled_by: None,
                cancel_reason: None,
                parent: None,
            }),
            ..Changes::default()
        };
        assert_eq!(committer.commit(changes).await, Committed::Done);
    }
}
