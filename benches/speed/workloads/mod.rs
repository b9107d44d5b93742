//! The workloads, a file each. Each sets a scene of its own, and strikes it.

mod backlog;
mod e1;
mod h1;
mod h2;
mod history;
mod l1;
mod q1;
mod q2;
mod r1;
mod s1;
mod s2;
mod w1;
mod w2;
mod w3;

use crate::arguments::{Extent, Workload};
use crate::figures::Figures;
use crate::limit;
use crate::scene::Stage;

/// Steps of a run of W1 and W2.
pub(crate) const CHAIN_STEPS: usize = 5;

/// Measures one repetition.
pub(crate) async fn measure(
    workload: Workload,
    stage: &Stage,
    extent: Extent,
    figures: &mut Figures,
) {
    match workload {
        Workload::Q1 => q1::measure(stage, extent, figures).await,
        Workload::Q2 => q2::measure(stage, extent, figures).await,
        Workload::W1 => w1::measure(stage, "W1".into(), 1, extent, figures).await,
        Workload::W1x2 => w1::measure(stage, "W1x2".into(), 2, extent, figures).await,
        Workload::W2 => w2::measure(stage, extent, figures).await,
        Workload::W3 => w3::measure(stage, extent, figures).await,
        Workload::H1 => h1::measure(stage, extent, figures).await,
        Workload::E1 => e1::measure(stage, extent, figures).await,
        Workload::H2 => h2::measure(stage, extent, figures).await,
        Workload::R1 => r1::measure(stage, extent, figures).await,
        Workload::S1 => s1::measure(stage, extent, figures).await,
        Workload::S2 => s2::measure(stage, extent, figures).await,
        Workload::L1 => l1::measure(stage, extent, figures).await,
    }
}

/// Measures one repetition of the limit.
pub(crate) async fn measure_limit(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let (many, some) = (extent.count(q1::RUNS), extent.count(w1::RUNS));
    limit::measure(stage, Workload::Q1, many, 1, figures).await;
    limit::measure(stage, Workload::W1, some, CHAIN_STEPS, figures).await;
    let samples = extent.count(w2::SAMPLES);
    limit::alone::measure(stage, samples, figures).await;
    limit::told::measure(stage, samples, figures).await;
}
