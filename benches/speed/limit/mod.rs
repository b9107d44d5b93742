//! The limit: the rows of Q1, W1 and W2 and nothing else. No API, no engine, no function that is called.
//! How near the product comes to it is a figure that means the same on every machine.
//!
//! It is measured as the product is: a drain begins without a connection, claims what is due, and is over
//! when nothing is left. [`rows`] holds the statements, [`alone`] and [`told`] are one run on an idle system.

pub(crate) mod alone;
mod rows;
pub(crate) mod told;

use std::time::{Duration, Instant};

use sqlx::Connection;
use uuid::Uuid;

use crate::arguments::Workload;
use crate::figures::Figures;
use crate::scene::{Scene, Stage};
use rows::{ENQUEUE, FINISH, STEP, begin, claim, connect, ids, register};

/// Runs of one statement: two connections with so many make the 1,000 that a worker holds.
const BATCH: usize = 500;
const CONNECTIONS: usize = 2;

/// Measures it for runs of so many steps, on a database of its own.
pub(crate) async fn measure(
    stage: &Stage,
    workload: Workload,
    runs: usize,
    steps: usize,
    figures: &mut Figures,
) {
    let mut scene = Scene::set(stage).await;
    scene.retire_api().await;
    let worker = register(&scene).await;
    let share = runs.div_ceil(CONNECTIONS);
    let first = scene.meter.begin().await;
    let enqueued = longest(|| enqueue(scene.url.clone(), share, steps)).await;
    let began = Instant::now();
    longest(|| drain(scene.url.clone(), worker, steps)).await;
    let drained = began.elapsed().as_secs_f64();
    let cost = scene.meter.since(&first).await;
    let runs = share * CONNECTIONS;
    let name = format!("limit {}", workload.name());
    if workload == Workload::Q1 {
        let rate = runs as f64 / enqueued.as_secs_f64();
        figures.add("limit enqueue", "runs/s", rate);
        figures.add(name.as_str(), "runs/s", runs as f64 / drained);
        figures.cost("limit Q1, both", "run", runs, &cost);
    } else {
        figures.add(name.as_str(), "steps/s", (runs * steps) as f64 / drained);
        figures.cost("limit W1, both", "step", runs * steps, &cost);
    }
    scene.strike().await;
}

/// Does it on all connections at once; gives the longest time.
async fn longest<F>(one: impl Fn() -> F) -> Duration
where
    F: Future<Output = Duration> + Send + 'static,
{
    let all: Vec<_> = (0..CONNECTIONS).map(|_| tokio::spawn(one())).collect();
    let mut longest = Duration::ZERO;
    for one in all {
        longest = longest.max(one.await.unwrap());
    }
    longest
}

async fn enqueue(url: String, runs: usize, steps: usize) -> Duration {
    let mut connection = connect(&url).await;
    let workflow = Uuid::now_v7();
    let all = ids(runs);
    let began = Instant::now();
    for batch in all.chunks(BATCH) {
        let enqueue = sqlx::query(ENQUEUE)
            .bind(batch)
            .bind(ids(batch.len()))
            .bind(workflow)
            .bind(i32::try_from(steps).unwrap());
        enqueue.execute(&mut connection).await.unwrap();
    }
    let took = began.elapsed();
    connection.close().await.unwrap();
    took
}

/// Claims, steps and finishes until nothing is due.
async fn drain(url: String, worker: Uuid, steps: usize) -> Duration {
    let began = Instant::now();
    let mut connection = connect(&url).await;
    let mut last = Uuid::nil();
    loop {
        let batch = claim(&mut connection, worker, last, BATCH).await;
        let Some(newest) = batch.iter().max() else {
            break;
        };
        last = *newest;
        begin(&mut connection, worker, &batch).await;
        for step in 1..steps {
            let steps = sqlx::query(STEP)
                .bind(batch.as_slice())
                .bind(ids(batch.len()))
                .bind(i16::try_from(step).unwrap())
                .bind(worker);
            steps.execute(&mut connection).await.unwrap();
        }
        let finish = sqlx::query(FINISH)
            .bind(batch.as_slice())
            .bind(ids(batch.len()))
            .bind(worker)
            .bind(i64::try_from(steps + 3).unwrap());
        finish.execute(&mut connection).await.unwrap();
    }
    let took = began.elapsed();
    connection.close().await.unwrap();
    took
}
