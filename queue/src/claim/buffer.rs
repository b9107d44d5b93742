//! Between the claim and the drivers: runs that are leased and not yet taken up.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::Claimed;

/// Claimed runs on their way to their drivers.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    runs: Mutex<VecDeque<Claimed>>,
    filled: Notify,
    pub(super) closed: CancellationToken,
}

impl Buffer {
    /// Returns the next run; `None` when no more will come.
    pub(crate) async fn next(&self) -> Option<Claimed> {
        loop {
            if let Some(claimed) = self.pop() {
                return Some(claimed);
            }
            tokio::select! {
                () = self.closed.cancelled() => return self.pop(),
                () = self.filled.notified() => {}
            }
        }
    }

    pub(super) fn pop(&self) -> Option<Claimed> {
        self.lock().pop_front()
    }

    pub(super) fn fill(&self, claimed: Vec<Claimed>) {
        self.lock().extend(claimed);
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Claimed>> {
        // A queue is whole between any two calls.
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
