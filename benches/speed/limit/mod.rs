//! The limit: the rows of Q1, W1 and W2 and nothing else. No API, no engine, no function that is called.
//! How near the product comes to it is a figure that means the same on every machine.
//!
//! It is measured as the product is: a drain begins without a connection, claims what is due, and is over
//! when nothing is left. [`rows`] holds the statements whose values the server makes, [`sent`] those whose values
//! are sent, an array for each of the [`columns`]; [`alone`] and [`told`] are one run on an idle system.

pub(crate) mod alone;
mod columns;
mod rows;
mod sent;
pub(crate) mod told;

use std::time::{Duration, Instant};

use sqlx::Connection;
use uuid::Uuid;

use crate::arguments::Workload;
use crate::figures::Figures;
use crate::scene::{Scene, Stage};
use rows::{claim, connect, ids, register};

/// Runs of one statement: two connections with so many make the 1,000 that a worker holds.
const BATCH: usize = 500;
const CONNECTIONS: usize = 2;

/// Where the values of the rows come from.
#[derive(Clone, Copy, Debug)]
enum Values {
    /// The statement holds them; what is sent are ids.
    Made,
    /// The client sends them all.
    Sent,
}

/// Measures it for runs of so many steps, either way.
pub(crate) async fn measure(
    stage: &Stage,
    workload: Workload,
    runs: usize,
    steps: usize,
    figures: &mut Figures,
) {
    for values in [Values::Made, Values::Sent] {
        measure_with(stage, values, workload, runs, steps, figures).await;
    }
}

/// On a database of its own.
async fn measure_with(
    stage: &Stage,
    values: Values,
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
    let enqueued = longest(|| enqueue(values, scene.url.clone(), share, steps)).await;
    let began = Instant::now();
    longest(|| drain(values, scene.url.clone(), worker, steps)).await;
    let drained = began.elapsed().as_secs_f64();
    let cost = scene.meter.since(&first).await;
    let runs = share * CONNECTIONS;
    let sent = match values {
        Values::Made => "",
        Values::Sent => ", sent",
    };
    let name = &*format!("limit {}{sent}", workload.name());
    let both = &*format!("{name}, both");
    if workload == Workload::Q1 {
        let rate = runs as f64 / enqueued.as_secs_f64();
        figures.add(&*format!("limit enqueue{sent}"), "runs/s", rate);
        figures.add(name, "runs/s", runs as f64 / drained);
        figures.cost(both, "run", runs, &cost);
    } else {
        figures.add(name, "steps/s", (runs * steps) as f64 / drained);
        figures.cost(both, "step", runs * steps, &cost);
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

async fn enqueue(values: Values, url: String, runs: usize, steps: usize) -> Duration {
    let mut connection = connect(&url).await;
    let (workflow, steps) = (Uuid::now_v7(), i32::try_from(steps).unwrap());
    let all = ids(runs);
    let began = Instant::now();
    for batch in all.chunks(BATCH) {
        match values {
            Values::Made => rows::enqueue(&mut connection, batch, workflow, steps).await,
            Values::Sent => sent::enqueue(&mut connection, batch, workflow, steps).await,
        }
    }
    let took = began.elapsed();
    connection.close().await.unwrap();
    took
}

/// Claims, steps and finishes until nothing is due.
async fn drain(values: Values, url: String, worker: Uuid, steps: usize) -> Duration {
    let began = Instant::now();
    let mut connection = connect(&url).await;
    let steps = i16::try_from(steps).unwrap();
    let end = i64::from(steps) + 3;
    let mut last = Uuid::nil();
    loop {
        let batch = claim(&mut connection, worker, last, BATCH).await;
        let Some(newest) = batch.iter().max() else {
            break;
        };
        last = *newest;
        for step in 0..steps {
            match values {
                Values::Made if step == 0 => rows::begin(&mut connection, worker, &batch).await,
                Values::Made => rows::go_on(&mut connection, worker, &batch, step).await,
                Values::Sent => sent::step(&mut connection, worker, &batch, step).await,
            }
        }
        match values {
            Values::Made => rows::finish(&mut connection, worker, &batch, end).await,
            Values::Sent => sent::finish(&mut connection, worker, &batch, end).await,
        }
    }
    let took = began.elapsed();
    connection.close().await.unwrap();
    took
}
