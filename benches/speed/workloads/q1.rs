//! Q1: many runs of one step come in, by the bulk door of the library and by POST, and one worker
//! drains them.

use std::time::Instant;

use serde_json::json;

use super::backlog;
use crate::arguments::Extent;
use crate::figures::Figures;
use crate::scene::{Scene, Stage};

pub(super) const RUNS: f64 = 20_000.0;
/// Runs of one POST to the bulk door: the most that it takes.
const POST: usize = 10_000;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let runs = extent.count(RUNS);
    by_library(stage, runs, figures).await;
    by_post(stage, runs, figures).await;
}

async fn by_library(stage: &Stage, runs: usize, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    let plan = scene.chain(1).await;
    scene.retire_api().await;
    let (arrived, first) = backlog::fill(&scene, &plan, runs).await;
    let cost = scene.meter.since(&first).await;
    let rate = runs as f64 / arrived.took.as_secs_f64();
    figures.add("Q1 enqueue", "runs/s", rate);
    figures.cost("Q1 enqueue", "run", runs, &cost);
    backlog::drain("Q1 drain".into(), &scene, &arrived, runs, 1, 1, figures).await;
    scene.strike().await;
}

async fn by_post(stage: &Stage, runs: usize, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.chain(1).await;
    let first = scene.meter.begin().await;
    let began = Instant::now();
    let mut left = runs;
    while left > 0 {
        let size = left.min(POST);
        let batch: Vec<_> = (0..size)
            .map(|_| json!({"workflow": "chain1", "input": {"user": "Ada"}}))
            .collect();
        let body = json!({ "runs": batch });
        scene.api().post("runs/batch", &body).await;
        left -= size;
    }
    let took = began.elapsed().as_secs_f64();
    let spent = scene.retire_api().await;
    let cost = scene.meter.since(&first).await;
    let name = "Q1 enqueue by POST";
    figures.add(name, "runs/s", runs as f64 / took);
    figures.cost(name, "run", runs, &cost);
    figures.spent(name, "API", "run", runs, spent);
    scene.strike().await;
}
