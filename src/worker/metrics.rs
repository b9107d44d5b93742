//! What a worker has done, in plain counters that the process reads for `/metrics`.

use std::sync::atomic::{AtomicU64, Ordering};

use stepwell_workflow::{Outcome, RunStatus, StepStatus};

/// Counters of one worker; they only grow, except those that say "active".
#[derive(Debug, Default)]
pub struct Metrics {
    runs_active: AtomicU64,
    runs_taken: AtomicU64,
    runs_finished: [AtomicU64; 4],
    steps_finished: [AtomicU64; 5],
    attempts_started: AtomicU64,
    attempts_ended: [AtomicU64; 5],
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Runs held now.
    pub runs_active: u64,
    /// Runs taken from a queue, once per claim.
    pub runs_taken: u64,
    /// Runs that ended here, by status.
    pub runs_finished: [(&'static str, u64); 4],
    /// Steps and items of maps that ended here, by status.
    pub steps_finished: [(&'static str, u64); 5],
    pub attempts_started: u64,
    /// Attempts that ended, by outcome.
    pub attempts_ended: [(&'static str, u64); 5],
}

const RUN_WORDS: [&str; 4] = ["completed", "failed", "cancelled", "timed_out"];
const STEP_WORDS: [&str; 5] = ["completed", "failed", "cancelled", "timed_out", "skipped"];
const ATTEMPT_WORDS: [&str; 5] = ["completed", "failed", "timed_out", "detached", "deferred"];

impl Metrics {
    /// Reads all counters.
    #[must_use]
    pub fn read(&self) -> Reading {
        Reading {
            runs_active: self.runs_active.load(Ordering::Relaxed),
            runs_taken: self.runs_taken.load(Ordering::Relaxed),
            runs_finished: named(RUN_WORDS, &self.runs_finished),
            steps_finished: named(STEP_WORDS, &self.steps_finished),
            attempts_started: self.attempts_started.load(Ordering::Relaxed),
            attempts_ended: named(ATTEMPT_WORDS, &self.attempts_ended),
        }
    }

    /// Counts a run that was taken; it is active until what comes back is dropped.
    pub(crate) fn run_taken(self: &std::sync::Arc<Self>) -> Active {
        self.runs_taken.fetch_add(1, Ordering::Relaxed);
        self.runs_active.fetch_add(1, Ordering::Relaxed);
        Active(std::sync::Arc::clone(self))
    }

    pub(crate) fn run_finished(&self, status: RunStatus) {
        count(&RUN_WORDS, &self.runs_finished, status.as_str());
    }

    pub(crate) fn step_stored(&self, status: StepStatus) {
        count(&STEP_WORDS, &self.steps_finished, status.as_str());
    }

    pub(crate) fn attempt_started(&self) {
        self.attempts_started.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn attempt_ended(&self, outcome: &Outcome) {
        let slot = match outcome {
            Outcome::Completed(_) => 0,
            Outcome::Failed { .. } => 1,
            Outcome::TimedOut { .. } => 2,
            Outcome::Detached { .. } => 3,
            Outcome::Busy { .. } => 4,
        };
        self.attempts_ended[slot].fetch_add(1, Ordering::Relaxed);
    }
}

/// A run that is held.
#[derive(Debug)]
pub(crate) struct Active(std::sync::Arc<Metrics>);

impl Drop for Active {
    fn drop(&mut self) {
        self.0.runs_active.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts a word that is in the list; others are not ends, and not counted.
fn count(words: &[&str], counters: &[AtomicU64], word: &str) {
    let place = words.iter().position(|&w| w == word);
    if let Some(counter) = place.and_then(|p| counters.get(p)) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

fn named<const N: usize>(
    words: [&'static str; N],
    counters: &[AtomicU64; N],
) -> [(&'static str, u64); N] {
    std::array::from_fn(|i| (words[i], counters[i].load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn ends_are_counted_by_status_and_the_rest_is_not() {
        let metrics = Arc::new(Metrics::default());
        let active = metrics.run_taken();
        metrics.step_stored(StepStatus::Completed);
        metrics.step_stored(StepStatus::Running);
        metrics.run_finished(RunStatus::TimedOut);
        let reading = metrics.read();
        assert_eq!(reading.runs_active, 1);
        assert_eq!(reading.steps_finished[0], ("completed", 1));
        assert_eq!(reading.steps_finished.iter().map(|s| s.1).sum::<u64>(), 1);
        assert_eq!(reading.runs_finished[3], ("timed_out", 1));
        drop(active);
        assert_eq!(metrics.read().runs_active, 0);
    }
}
