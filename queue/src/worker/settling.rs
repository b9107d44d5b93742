//! A worker that finds work waiting begins with that, and with what is rarer than runs a little later: at
//! first all its connections are opened and all its statements planned, and those of claims and commits
//! should not wait for the others.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Life;
use crate::Store;

/// So long the rarer work waits at most.
const AT_THE_LATEST: Duration = Duration::from_secs(1);

impl Store {
    /// Waits until a worker of this process found nothing to do with its first claim, or has worked for
    /// a second; or until `stop`.
    pub async fn settled(&self, stop: &CancellationToken) {
        tokio::select! {
            () = self.desk.settled.cancelled() => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Ends the wait in any case.
pub(super) async fn run(life: Arc<Life>) {
    let settled = life.store.settled(&life.ended);
    if tokio::time::timeout(AT_THE_LATEST, settled).await.is_err() {
        life.store.desk.settled.cancel();
    }
}

/// Makes the runs of schedules, when it is time.
pub(super) async fn keep_schedules(life: Arc<Life>) {
    life.store.settled(&life.ended).await;
    life.store.keep_schedules(life.ended.clone()).await;
}

/// Gives events to those who hear of them, when it is time.
pub(super) async fn keep_outbox(life: Arc<Life>) {
    life.store.settled(&life.ended).await;
    crate::outbox::run(life.store.clone(), life.ended.clone()).await;
}
