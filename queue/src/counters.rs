//! Plain numbers about the hot loops, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, amount: usize) {
        self.0.fetch_add(amount as u64, Ordering::Relaxed);
    }

    /// Returns the number as it is now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the hot loops have done since the store was opened.
#[derive(Debug, Default)]
pub struct Counters {
    /// Statements that wrote new runs.
    pub enqueue_batches: Counter,
    /// Runs written by them.
    pub enqueued_runs: Counter,
    /// Claims sent, those that found nothing included.
    pub claims: Counter,
    /// Of these, the ones that looked at the queue from its beginning.
    pub full_scans: Counter,
    /// Slices of the table that were looked through for jobs behind the floor.
    pub slices: Counter,
    /// Jobs taken by them.
    pub claimed_runs: Counter,
    /// Group commits.
    pub commit_batches: Counter,
    /// Drivers' changes in them.
    pub commits: Counter,
    /// Step rows in them.
    pub committed_steps: Counter,
    /// Commits whose outcome stayed unknown.
    pub unknown_commits: Counter,
    /// Changes that the database refused.
    pub refused_commits: Counter,
    /// Times that changes of a run were set aside, because the database did not take them for a reason that is not
    /// known to pass.
    pub commits_set_aside: Counter,
    /// Runs that this worker held and nobody drove.
    pub orphans_given_back: Counter,
    /// Workers marked dead by this process.
    pub workers_marked_dead: Counter,
    /// Jobs freed from dead workers.
    pub rescued_jobs: Counter,
    /// NOTIFY statements sent.
    pub notifies: Counter,
}
