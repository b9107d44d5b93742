//! A backlog of runs that came in beforehand, drained by workers.

use sqlx::Connection as _;
use stepwell::queue::workflow::PlannedVersion;

use crate::door::{Arrived, Door};
use crate::figures::{Figures, Place};
use crate::meter::{Reading, Spent};
use crate::scene::{Scene, Worker};

/// Enqueues them by the bulk door; gives the reading from before as well.
pub(super) async fn fill(scene: &Scene, plan: &PlannedVersion, runs: usize) -> (Arrived, Reading) {
    let door = Door::open(scene.store(), plan);
    let first = scene.meter.begin().await;
    let arrived = door.enqueue_many(runs).await;
    door.close().await;
    (arrived, first)
}

/// Drains them with so many workers, from the moment that the first of these begins until no job
/// is left.
pub(super) async fn drain(
    place: Place,
    scene: &Scene,
    arrived: &Arrived,
    runs: usize,
    steps: usize,
    workers: usize,
    figures: &mut Figures,
) {
    let analyst = scene.analyze().await;
    let first = scene.meter.begin().await;
    let workers = Worker::start_all(scene, workers).await;
    Worker::reach(&workers, runs * steps).await;
    let ended = scene.drained(arrived.first).await;
    let spent: Vec<_> = workers.iter().map(Worker::spent).collect();
    let began = workers.iter().map(Worker::started).min().expect("one");
    let seconds = ended.duration_since(began).as_secs_f64();
    for worker in workers {
        worker.end().await;
    }
    let cost = scene.meter.since(&first).await;
    analyst.close().await.unwrap();
    let (unit, count) = if steps == 1 {
        ("run", runs)
    } else {
        ("step", runs * steps)
    };
    let rate = format!("{unit}s/s");
    figures.add(place.clone(), &rate, count as f64 / seconds);
    if steps > 1 {
        figures.add(place.clone(), "runs/s", runs as f64 / seconds);
    }
    figures.cost(place.clone(), unit, count, &cost);
    figures.spent(place, "worker", unit, count, Spent::together(&spent));
}
