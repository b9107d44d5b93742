//! L1: from the call of an enqueue to the first line of its step while runs come in at 25, 50, 75
//! and 90 % of the most that comes through; an open loop.

use std::time::Duration;

use crate::arguments::Extent;
use crate::door::Door;
use crate::figures::{Figures, Place};
use crate::pace;
use crate::scene::{Scene, Stage, Worker};

const LOADS: &[u8] = &[25, 50, 75, 90];
/// At each load.
const SHORT: Duration = Duration::from_secs(10);
const WHOLE: Duration = Duration::from_secs(60);
/// For the most that comes through.
const PROBE: Duration = Duration::from_secs(5);
/// The first part of each load warms up, and is not counted.
const PARTS: u32 = 5;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let most = most(stage, extent).await;
    figures.add("L1", "most runs/s", most);
    for load in LOADS {
        let rate = most * f64::from(*load) / 100.0;
        let mut scene = Scene::set(stage).await;
        let plan = scene.chain(1).await;
        scene.retire_api().await;
        let door = Door::open(scene.store(), &plan);
        let worker = Worker::start(&scene, pace::every(rate)).await;
        let length = extent.time(SHORT, WHOLE) / PARTS;
        let done = pace::steady(&scene, &door, worker, rate, (PARTS, length)).await;
        door.close().await;
        let place = Place::at("L1", f64::from(*load), "% of the most");
        let counted = &done.stretches[1..];
        let mean = counted.iter().map(|part| part.rate).sum::<f64>() / counted.len() as f64;
        figures.add(place.clone(), "runs/s", mean);
        figures.add(place.clone(), "refused runs", done.refused as f64);
        let latencies = counted.iter().flat_map(|part| part.latencies_ms.clone());
        figures.times(place, latencies.collect());
        scene.strike().await;
    }
}

/// The most that comes through one worker when runs come in one at a time, on a scene of its own.
pub(super) async fn most(stage: &Stage, extent: Extent) -> f64 {
    let mut scene = Scene::set(stage).await;
    let plan = scene.chain(1).await;
    scene.retire_api().await;
    let door = Door::open(scene.store(), &plan);
    let most = pace::maximum(&scene, &door, extent.time(PROBE, PROBE)).await;
    door.close().await;
    scene.strike().await;
    most
}
