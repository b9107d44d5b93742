//! S2: W1 with 1, 2, 4 and 8 workers.

use super::w1;
use crate::arguments::Extent;
use crate::figures::{Figures, Place};
use crate::scene::Stage;

const WORKERS: &[u8] = &[1, 2, 4, 8];

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    for workers in WORKERS {
        let place = Place::at("S2", f64::from(*workers), "workers");
        w1::measure(stage, place, usize::from(*workers), extent, figures).await;
    }
}
