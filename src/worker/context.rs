//! What the drivers of one registered worker share. It ends with the registration: a worker that
//! was fenced makes a new one.

use std::sync::Arc;
use std::time::Duration;

use stepwell_queue::{Committer, Error, Store, Worker};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::metrics::Metrics;
use super::steps::Steps;

/// How long to wait before a read is tried again while the database is away: short enough that
/// work goes on at once when it is back, long enough not to crowd a server that is starting.
const DATABASE_RETRY: Duration = Duration::from_millis(500);

/// What the drivers of one registered worker share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) store: Store,
    pub(crate) worker: Worker,
    pub(crate) committer: Committer,
    pub(crate) steps: Arc<Steps>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stages: Stages,
    /// Words to agents that nobody waits for, until the process ends.
    pub(crate) errands: TaskTracker,
}

/// The stages of an end. Each is cancelled once and never taken back.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    /// Nothing new is begun; what is in flight goes on.
    pub(crate) drain: CancellationToken,
    /// What is in flight is given back.
    pub(crate) give_back: CancellationToken,
    /// Nothing of any run may be done or written any more.
    pub(crate) dropped: CancellationToken,
}

/// The run is no longer this driver's: it drops everything and writes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

/// Reads from the store, and waits while the database is away or does not let us read. Only what was read and
/// makes no sense is an error: it is no run's fault that a statement was refused.
pub(crate) async fn read<T, F>(ask: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    loop {
        match ask().await {
            Err(Error::Unavailable(_)) => tokio::time::sleep(DATABASE_RETRY).await,
            Err(Error::Refused(error)) => {
                tracing::error!(%error, "the database refuses what a run needs; it is asked again");
                tokio::time::sleep(DATABASE_RETRY).await;
            }
            answer => return answer,
        }
    }
}
