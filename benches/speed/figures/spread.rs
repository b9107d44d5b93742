//! Many values, put in order.

/// Values in ascending order; at least one.
#[derive(Debug)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// Puts them in order.
    ///
    /// # Panics
    /// When there are none: nothing was measured.
    pub(crate) fn new(mut values: Vec<f64>) -> Self {
        assert!(!values.is_empty(), "nothing was measured");
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// The value that this share of all values does not exceed, rounded to the nearest of them.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let last = self.0.len() - 1;
        self.0[(last as f64 * share).round() as usize]
    }

    /// Of few values: the least, the middle one, the most.
    pub(crate) fn summary(&self) -> [f64; 3] {
        [
            self.quantile(0.0),
            self.0[self.0.len() / 2],
            self.quantile(1.0),
        ]
    }
}
