//! How long a loop waits before it asks an absent database again.

use std::time::Duration;

use rand::Rng as _;

/// The first wait: a restart of Postgres often takes no longer.
const FIRST: Duration = Duration::from_millis(50);
/// The longest wait: a database that is back is noticed within this time.
const LONGEST: Duration = Duration::from_secs(3);

/// Doubles from 50 ms to 3 s, each wait drawn from its upper half so that workers spread out.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self { next: FIRST }
    }

    /// The database answered.
    pub(crate) const fn reset(&mut self) {
        self.next = FIRST;
    }

    /// Returns the next wait.
    pub(crate) fn step(&mut self) -> Duration {
        let wait = self.next.mul_f64(rand::rng().random_range(0.5..=1.0));
        self.next = (self.next * 2).min(LONGEST);
        wait
    }

    /// Waits.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.step()).await;
    }
}

/// Draws from 75 % to 125 % of `period`, so that pollers do not march in step.
pub(crate) fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::rng().random_range(0.75..=1.25))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_their_limit_and_start_again() {
        let mut backoff = Backoff::new();
        assert!(backoff.step() <= FIRST);
        for _ in 0..20 {
            assert!(backoff.step() <= LONGEST);
        }
        assert!(backoff.step() >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.step() <= FIRST);
    }
}
