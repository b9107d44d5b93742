//! R1: a steady load at 60 % of the most that comes through, over a week of finished runs that leaves
//! day by day: who comes while a day leaves must not notice.
//!
//! The load is an open loop, so a pause shows as the latency of all who came meanwhile: the most of
//! them is the longest pause.

use std::time::{Duration, Instant};

use stepwell::queue::Store;
use stepwell::queue::retention::Retention;
use stepwell::queue::store::StoreOptions;
use tokio::task::JoinHandle;

use super::history::{self, DAYS, Scenery};
use super::l1;
use crate::arguments::Extent;
use crate::door::Door;
use crate::figures::Figures;
use crate::pace;
use crate::scene::{Scene, Stage, Worker};

/// The share of the most that comes through.
const LOAD: f64 = 0.6;
/// Finished runs of the week.
const HISTORY_SHORT: f64 = 350_000.0;
const HISTORY_WHOLE: f64 = 3_500_000.0;
/// Before the first day leaves, and between one day and the next.
const SHORT: Duration = Duration::from_secs(3);
const WHOLE: Duration = Duration::from_secs(20);
/// Looks that retention may need for a day: somebody may hold what it wants.
const LOOKS: u32 = 20;
const LOOK_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let most = l1::most(stage, extent).await;
    let rate = most * LOAD;
    let mut scene = Scene::set(stage).await;
    let scenery = Scenery::prepare(&mut scene).await;
    let history = extent.count(if extent.full {
        HISTORY_WHOLE
    } else {
        HISTORY_SHORT
    });
    history::finished(&scene, &scenery, 0..history).await;
    let before = scene.size_mib().await;
    let door = Door::open(scene.store(), &scenery.single);
    let worker = Worker::start(&scene, pace::every(rate)).await;
    let length = extent.time(SHORT, WHOLE);
    let leaving = leave(&scene, length);
    let stretches = u32::try_from(DAYS).expect("a week is short") + 1;
    let load = pace::steady(&scene, &door, worker, rate, (stretches, length)).await;
    door.close().await;
    let looks = leaving.await.expect("a day did not leave");
    let (free, dropping) = load.stretches.split_at(1);
    for (name, stretches) in [("R1 free", free), ("R1 days leave", dropping)] {
        let rates = stretches.iter().map(|stretch| stretch.rate);
        figures.add(name, "runs/s", rates.sum::<f64>() / stretches.len() as f64);
        let latencies = stretches.iter().flat_map(|s| s.latencies_ms.clone());
        figures.times(name, latencies.collect());
    }
    let longest = looks.iter().map(|look| look.took).max().unwrap_or_default();
    let name = "R1 days leave";
    figures.add(name, "longest look ms", longest.as_secs_f64() * 1_000.0);
    figures.add(name, "looks", looks.len() as f64);
    let dropped = looks.iter().map(|look| look.dropped).sum::<usize>();
    figures.add(name, "tables dropped", dropped as f64);
    figures.add(name, "finished runs before", history as f64);
    figures.add(name, "database MiB before", before);
    scene.strike().await;
}

/// A look of retention.
#[derive(Debug)]
struct Look {
    dropped: usize,
    took: Duration,
}

/// One day after the other leaves, the oldest first, each in a stretch of its own.
fn leave(scene: &Scene, length: Duration) -> JoinHandle<Vec<Look>> {
    let url = scene.url.clone();
    tokio::spawn(async move {
        let mut looks = Vec::new();
        for kept in (0..DAYS).rev() {
            tokio::time::sleep(length).await;
            let days = u16::try_from(kept).expect("a week is short");
            let retention = Retention {
                run_days: Some(days),
                audit_days: Some(days),
            };
            let options = StoreOptions {
                retention,
                ..StoreOptions::new(url.clone())
            };
            let store = Store::open(options).unwrap();
            looks.extend(until_gone(&store).await);
            store.close().await;
        }
        looks
    })
}

/// Looks until something left.
async fn until_gone(store: &Store) -> Vec<Look> {
    let mut looks = Vec::new();
    while looks.iter().all(|look: &Look| look.dropped == 0) {
        assert!(looks.len() < LOOKS as usize, "a day stays: {looks:?}");
        if !looks.is_empty() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let began = Instant::now();
        let dropped = store.retain().await.unwrap();
        let took = began.elapsed();
        looks.push(Look { dropped, took });
    }
    looks
}
