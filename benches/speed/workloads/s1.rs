//! S1: W1 and Q2 while history grows, and then with runs that wait for a far-away signal and runs
//! whose time is far away.
//!
//! One scene for all, because ten million runs take a while to write: history only grows, and every
//! repetition is made at one size before it grows on.

use super::history::{self, Scenery};
use super::{CHAIN_STEPS, backlog, q2, w1};
use crate::arguments::Extent;
use crate::figures::{Figures, Place};
use crate::scene::{Scene, Stage};

/// Finished runs in history.
const SHORT: &[f64] = &[0.0, 200_000.0];
const WHOLE: &[f64] = &[0.0, 1_000_000.0, 10_000_000.0];
/// Runs that wait for a signal, and as many again whose time is far away.
const IDLE_SHORT: f64 = 100_000.0;
const IDLE_WHOLE: f64 = 1_000_000.0;

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    let scenery = Scenery::prepare(&mut scene).await;
    let (sizes, idle) = if extent.full {
        (WHOLE, IDLE_WHOLE)
    } else {
        (SHORT, IDLE_SHORT)
    };
    let mut there = 0;
    for size in sizes {
        let wanted = if *size == 0.0 { 0 } else { extent.count(*size) };
        history::finished(&scene, &scenery, there..wanted).await;
        there = wanted;
        let at = (wanted as f64, "finished runs");
        look(&scene, &scenery, at, extent, figures).await;
    }
    let idle = extent.count(idle);
    history::waiting(&scene, &scenery, idle).await;
    let at = (idle as f64, "waiting runs beside them");
    look(&scene, &scenery, at, extent, figures).await;
    history::timed(&scene, &scenery, idle).await;
    let at = (idle as f64, "waiting and as many future runs");
    look(&scene, &scenery, at, extent, figures).await;
    scene.strike().await;
}

async fn look(
    scene: &Scene,
    scenery: &Scenery,
    (value, by): (f64, &str),
    extent: Extent,
    figures: &mut Figures,
) {
    figures.add(
        Place::at("S1 W1", value, by),
        "database MiB",
        scene.size_mib().await,
    );
    for _ in 0..extent.repetitions {
        let runs = extent.count(w1::RUNS);
        let (arrived, _) = backlog::fill(scene, &scenery.chain, runs).await;
        let place = Place::at("S1 W1", value, by);
        backlog::drain(place, scene, &arrived, runs, CHAIN_STEPS, 1, figures).await;
        let samples = extent.count(q2::SAMPLES);
        let place = Place::at("S1 Q2", value, by);
        q2::latency(place, scene, &scenery.single, samples, figures).await;
    }
}
