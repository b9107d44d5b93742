//! When the next one comes, if they come at a steady rate and know nothing of each other.

use std::time::Duration;

use rand::Rng;

/// A Poisson process.
#[derive(Debug)]
pub(crate) struct Arrivals<R> {
    rate: f64,
    /// Seconds since the begin.
    next: f64,
    random: R,
}

impl<R: Rng> Arrivals<R> {
    /// So many a second.
    pub(crate) fn new(rate: f64, random: R) -> Self {
        let mut arrivals = Self {
            rate,
            next: 0.0,
            random,
        };
        arrivals.step();
        arrivals
    }

    /// How many have come since the last time this was asked.
    pub(crate) fn due(&mut self, since_begin: Duration) -> usize {
        let mut due = 0;
        while self.next <= since_begin.as_secs_f64() {
            due += 1;
            self.step();
        }
        due
    }

    fn step(&mut self) {
        let share: f64 = self.random.random();
        self.next -= (1.0 - share).ln() / self.rate;
    }
}
