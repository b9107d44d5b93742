//! Q2: from the commit of an enqueue to the first line of its step, on an idle worker.

use std::time::Duration;

use rand::Rng;
use stepwell::queue::workflow::PlannedVersion;
use uuid::Uuid;

use crate::arguments::Extent;
use crate::door::Door;
use crate::figures::{Figures, Place};
use crate::notes::{between, now};
use crate::scene::{Scene, Stage, Worker};

pub(super) const SAMPLES: f64 = 200.0;
/// Between two starts, microseconds.
const PAUSE: std::ops::Range<u64> = 15_000..25_000;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    let plan = scene.chain(1).await;
    scene.retire_api().await;
    latency("Q2".into(), &scene, &plan, extent.count(SAMPLES), figures).await;
    scene.strike().await;
}

pub(super) async fn latency(
    place: Place,
    scene: &Scene,
    plan: &PlannedVersion,
    samples: usize,
    figures: &mut Figures,
) {
    let door = Door::open(scene.store(), plan);
    let worker = Worker::start(scene, 1).await;
    let first = Uuid::now_v7();
    // The first one finds caches cold, and is not counted.
    door.enqueue(door.new_run()).await;
    scene.drained(first).await;
    let (reading, used) = (scene.meter.begin().await, worker.spent());
    let mut committed = Vec::new();
    for _ in 0..samples {
        let pause = Duration::from_micros(rand::rng().random_range(PAUSE));
        tokio::time::sleep(pause).await;
        let run = door.new_run();
        let id = run.id;
        door.enqueue(run).await;
        committed.push((id, now()));
    }
    scene.drained(first).await;
    door.close().await;
    let spent = worker.spent().since(used);
    let called = worker.end().await;
    let cost = scene.meter.since(&reading).await;
    let latencies = between(&committed, &called);
    assert_eq!(latencies.len(), samples, "every run was called");
    let latencies = latencies.into_iter().map(|(_, ms)| ms).collect();
    figures.times(place.clone(), latencies);
    figures.cost(place.clone(), "run", samples, &cost);
    figures.spent(place, "worker", "run", samples, spent);
}
