//! A run whose last commit is on its way has no use for its slot: what is left of its driver waits by itself,
//! and another run may begin. Throughput so does not depend on how long a commit takes.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use stepwell_queue::worker::Driving;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::Instrument as _;

use super::settling::Sent;
use super::{Driver, say_dropped};
use crate::worker::context::Gone;
use crate::worker::metrics::Active;

/// A driver that has nothing more to decide, unless the database refuses what it decided.
pub(super) struct Parting {
    driver: Box<Driver>,
    last: Sent,
}

impl Parting {
    pub(super) const fn new(driver: Box<Driver>, last: Sent) -> Self {
        Self { driver, last }
    }

    /// Waits, in a task of its own, until the last commit is made. The run is active and counted until then.
    pub(super) fn see_off(self, active: Active, driving: Driving, counted: TaskTrackerToken) {
        let waiting = async move {
            // Declared first, dropped last: when nobody is counted, nobody holds the worker.
            let _counted = counted;
            let _active = active;
            let _driving = driving;
            self.wait().await;
        };
        tokio::spawn(waiting.in_current_span());
    }

    async fn wait(self) {
        let Self { mut driver, last } = self;
        let dropped = driver.context.stages.dropped.clone();
        let stored = async {
            tokio::select! {
                biased;
                stored = driver.stored(last) => stored.map(drop),
                () = dropped.cancelled() => Err(Gone),
            }
        };
        match AssertUnwindSafe(stored).catch_unwind().await {
            Ok(Ok(())) => {}
            Ok(Err(Gone)) => say_dropped(),
            // As when it panics before: whoever takes the run next tries again, and not for ever.
            Err(_) => {
                let run_id = driver.state.header.id;
                let error = "it panicked while its last commit was on its way";
                driver.context.worker.broke(run_id, error.to_owned()).await;
            }
        }
    }
}
