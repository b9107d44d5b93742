//! H2: a steady load at 60 % of the most that comes through, first free, then with another session
//! that holds a snapshot all the time, then with a query over all runs that never ends.
//!
//! A held snapshot keeps every row version that died since; whatever walks over them gets slower
//! by the minute. So each stretch of the time is told by itself.

use std::time::Duration;

use sqlx::{Connection, Executor};
use tokio::task::JoinHandle;

use super::l1;
use crate::arguments::Extent;
use crate::door::Door;
use crate::figures::ratios::LAST;
use crate::figures::{Figures, Place, Spread};
use crate::pace;
use crate::scene::{Scene, Stage, Worker};

/// The share of the most that comes through.
const LOAD: f64 = 0.6;
/// For each variant.
const SHORT: Duration = Duration::from_secs(20);
const WHOLE: Duration = Duration::from_secs(15 * 60);
/// Stretches that the time is told in: of the whole, minutes.
const STRETCHES_SHORT: u32 = 4;
const STRETCHES_WHOLE: u32 = 15;

/// What somebody might ask who knows no better. It reads one snapshot for as long as it takes, and
/// at most one core.
const ANALYTICS: &str = "select workflow_name, status, queue, count(*),
        avg(finished_at - created_at), max(finished_at - created_at)
    from stepwell.run group by 1, 2, 3 order by 4 desc";

#[derive(Clone, Copy, Debug)]
enum Variant {
    Free,
    HeldSnapshot,
    Analytics,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Free => "H2 free",
            Self::HeldSnapshot => "H2 held snapshot",
            Self::Analytics => "H2 analytics",
        }
    }
}

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let most = l1::most(stage, extent).await;
    figures.add("H2", "most runs/s", most);
    for variant in [Variant::Free, Variant::HeldSnapshot, Variant::Analytics] {
        load(stage, extent, variant, most * LOAD, figures).await;
    }
}

async fn load(stage: &Stage, extent: Extent, variant: Variant, rate: f64, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    let plan = scene.chain(1).await;
    scene.retire_api().await;
    let door = Door::open(scene.store(), &plan);
    let worker = Worker::start(&scene, pace::every(rate)).await;
    let other = disturb(&scene, variant).await;
    let reading = scene.meter.begin().await;
    let count = if extent.full {
        STRETCHES_WHOLE
    } else {
        STRETCHES_SHORT
    };
    let length = extent.time(SHORT, WHOLE) / count;
    let load = pace::steady(&scene, &door, worker, rate, (count, length)).await;
    door.close().await;
    if let Some(other) = other {
        assert!(!other.is_finished(), "the disturbance ended by itself");
        other.abort();
        let _ = other.await;
    }
    let cost = scene.meter.since(&reading).await;
    let name = variant.name();
    let stretches = load.stretches;
    let all = stretches.iter().map(|stretch| stretch.rate).sum::<f64>();
    figures.add(name, "runs/s", all / f64::from(count));
    let last = stretches.last().expect("there is one");
    figures.add(name, LAST, last.rate);
    let latencies = stretches.iter().flat_map(|s| s.latencies_ms.clone());
    figures.times(name, latencies.collect());
    figures.add(name, "refused runs", load.refused as f64);
    figures.cost(name, "run", load.written, &cost);
    for stretch in stretches {
        let ends = (stretch.ends.as_secs_f64() * 10.0).round() / 10.0;
        let place = Place::at(name, ends, "s");
        figures.add(place.clone(), "runs/s", stretch.rate);
        let spread = Spread::new(stretch.latencies_ms);
        figures.add(place.clone(), "p50 ms", spread.quantile(0.5));
        figures.add(place, "p99 ms", spread.quantile(0.99));
    }
    scene.strike().await;
}

/// Somebody else who is at the same database until the task is aborted.
async fn disturb(scene: &Scene, variant: Variant) -> Option<JoinHandle<()>> {
    let mut connection = scene.connect().await;
    match variant {
        Variant::Free => {
            connection.close().await.unwrap();
            None
        }
        Variant::HeldSnapshot => {
            connection
                .execute("begin transaction isolation level repeatable read")
                .await
                .unwrap();
            // The first statement takes the snapshot.
            connection
                .execute("select pg_current_snapshot()")
                .await
                .unwrap();
            Some(tokio::spawn(async move {
                let _held = connection;
                std::future::pending::<()>().await;
            }))
        }
        Variant::Analytics => {
            connection
                .execute("set max_parallel_workers_per_gather = 0")
                .await
                .unwrap();
            Some(tokio::spawn(async move {
                loop {
                    sqlx::query(ANALYTICS)
                        .fetch_all(&mut connection)
                        .await
                        .unwrap();
                }
            }))
        }
    }
}
