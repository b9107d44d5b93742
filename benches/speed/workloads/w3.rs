//! W3: one run that maps many steps which do nothing, and joins them.

use std::time::Instant;

use serde_json::json;

use crate::arguments::Extent;
use crate::figures::Figures;
use crate::scene::{Api, Scene, Stage, Worker};

const ITEMS: f64 = 500.0;
/// All items at once.
const PARALLEL: usize = 1_000;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let items = extent.count(ITEMS);
    let mut scene = Scene::set(stage).await;
    let step = json!({"type": "task", "config": {"task": "noop", "input": "${item}"}});
    let config = json!({"items": "${input}", "max_parallel": PARALLEL, "step": step});
    let steps = json!([{"name": "m", "type": "map", "config": config}]);
    let fan = json!({"id": "fan", "name": "fan", "max_parallel": PARALLEL, "steps": steps});
    scene.workflow(&fan).await;
    let worker = Worker::start(&scene, 0).await;
    // Once to warm up, as a worker that has been there for a while is.
    figures.add("W3 cold", "ms", wall(scene.api(), items).await);
    let reading = scene.meter.begin().await;
    let used = worker.spent();
    figures.add("W3", "ms", wall(scene.api(), items).await);
    let spent = worker.spent().since(used);
    worker.end().await;
    scene.retire_api().await;
    let cost = scene.meter.since(&reading).await;
    figures.cost("W3", "step", items, &cost);
    figures.spent("W3", "worker", "step", items, spent);
    scene.strike().await;
}

/// Milliseconds from the POST until the client knows that it finished.
async fn wall(api: &Api, items: usize) -> f64 {
    let input: Vec<_> = (0..items).collect();
    let began = Instant::now();
    let path = "workflows/fan/execute?wait_ms=60000";
    let run = api.post(path, &json!({ "input": input })).await;
    assert_eq!(run["status"], "completed", "{run}");
    began.elapsed().as_secs_f64() * 1e3
}
