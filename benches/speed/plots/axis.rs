//! The scale of an axis: from nothing to a round number above the largest value.

/// The steps of an axis that people read without effort.
const STEPS: &[f64] = &[1.0, 2.0, 2.5, 5.0, 10.0];
/// About so many steps.
const WANTED: f64 = 5.0;

/// An axis from 0.
#[derive(Debug)]
pub(crate) struct Axis {
    step: f64,
    count: u32,
}

impl Axis {
    /// That holds this value.
    pub(crate) fn to(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let rough = most / WANTED;
        let magnitude = 10_f64.powf(rough.log10().floor());
        let fits = |step: &&f64| **step * magnitude >= rough * 0.999;
        let step = magnitude * STEPS.iter().find(fits).unwrap_or(&10.0);
        Self {
            step,
            count: (most / step * 0.999).ceil() as u32,
        }
    }

    pub(crate) fn most(&self) -> f64 {
        self.step * f64::from(self.count)
    }

    /// The values that are written beside it.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = f64> {
        // Rounded, so that three times 0.1 is 0.3.
        let step = self.step;
        (0..=self.count).map(move |n| (step * f64::from(n) * 1e6).round() / 1e6)
    }

    /// Where a value lies: 0 at the begin, 1 at the end.
    pub(crate) fn share(&self, value: f64) -> f64 {
        value / self.most()
    }
}
