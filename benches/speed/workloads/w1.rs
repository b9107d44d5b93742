//! W1: runs of five steps one after the other that do nothing, started beforehand, drained by one
//! worker; W1x2 by two.

use super::{CHAIN_STEPS, backlog};
use crate::arguments::Extent;
use crate::figures::{Figures, Place};
use crate::scene::{Scene, Stage};

pub(super) const RUNS: f64 = 2_000.0;

pub(super) async fn measure(
    stage: &Stage,
    place: Place,
    workers: usize,
    extent: Extent,
    figures: &mut Figures,
) {
    let runs = extent.count(RUNS);
    let mut scene = Scene::set(stage).await;
    let plan = scene.chain(CHAIN_STEPS).await;
    scene.retire_api().await;
    let (arrived, _) = backlog::fill(&scene, &plan, runs).await;
    backlog::drain(place, &scene, &arrived, runs, CHAIN_STEPS, workers, figures).await;
    scene.strike().await;
}
