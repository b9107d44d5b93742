//! W2: one run of five steps on an idle system, from the POST until the client knows that it
//! finished.

use std::time::{Duration, Instant};

use serde_json::json;

use super::CHAIN_STEPS;
use crate::arguments::Extent;
use crate::figures::Figures;
use crate::scene::{Api, Scene, Stage, Worker};

pub(super) const SAMPLES: f64 = 50.0;
/// Between two starts.
const PAUSE: Duration = Duration::from_millis(30);

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let samples = extent.count(SAMPLES);
    let mut scene = Scene::set(stage).await;
    scene.chain(CHAIN_STEPS).await;
    // What the old one did would be counted late, and so as work of the new one.
    scene.renew_api().await;
    let worker = Worker::start(&scene, 0).await;
    // The first one finds caches cold, and is not counted.
    round_trip(scene.api()).await;
    let reading = scene.meter.begin().await;
    let (used, api_used) = (worker.spent(), scene.api().spent());
    let mut latencies = Vec::new();
    for _ in 0..samples {
        tokio::time::sleep(PAUSE).await;
        latencies.push(round_trip(scene.api()).await);
    }
    let spent = worker.spent().since(used);
    let api_spent = scene.api().spent().since(api_used);
    worker.end().await;
    scene.retire_api().await;
    let cost = scene.meter.since(&reading).await;
    figures.times("W2", latencies);
    figures.cost("W2", "run", samples, &cost);
    figures.spent("W2", "worker", "run", samples, spent);
    figures.spent("W2", "API", "run", samples, api_spent);
    scene.strike().await;
}

/// Milliseconds.
async fn round_trip(api: &Api) -> f64 {
    let began = Instant::now();
    let path = format!("workflows/chain{CHAIN_STEPS}/execute?wait_ms=30000");
    let run = api.post(&path, &json!({"input": {"user": "Ada"}})).await;
    assert_eq!(run["status"], "completed", "{run}");
    began.elapsed().as_secs_f64() * 1e3
}
