//! Tells drivers that their runs may have messages: at once when NOTIFY says so, and within half a
//! second when it does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Life;
use crate::backoff::jittered;
use crate::listen::Hint;

/// A cancelled step stops within a second, even without NOTIFY.
const POLL: Duration = Duration::from_millis(500);

/// Who wants to hear of messages.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<Uuid, mpsc::Sender<()>>>);

impl Watchers {
    pub(super) fn add(&self, run_id: Uuid) -> mpsc::Receiver<()> {
        // One word that is not yet heard says it all.
        let (sender, receiver) = mpsc::channel(1);
        self.lock().insert(run_id, sender);
        receiver
    }

    fn tell(&self, run_ids: &[Uuid]) {
        let watchers = self.lock();
        for sender in run_ids.iter().filter_map(|run_id| watchers.get(run_id)) {
            // Full: it is told already. Closed: it is about to be forgotten.
            let _ = sender.try_send(());
        }
    }

    /// Returns the runs that are watched, and forgets those that no longer are.
    fn watched(&self) -> Vec<Uuid> {
        let mut watchers = self.lock();
        watchers.retain(|_, sender| !sender.is_closed());
        watchers.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, mpsc::Sender<()>>> {
        // A map is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Passes on hints, and polls, until the worker retires.
pub(super) async fn run(life: Arc<Life>) {
    let mut hints = life.store.hints();
    let mut link = life.steady_link();
    let mut poll_at = tokio::time::Instant::now() + jittered(POLL);
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            hint = hints.recv() => match hint {
                Ok(Hint::Inbox { run_ids }) => {
                    life.watchers.tell(&run_ids);
                    continue;
                }
                Ok(Hint::Changed { entity, id }) if entity == super::ENTITY && id == life.id => {
                    life.draining.cancel();
                    continue;
                }
                Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => {}
                Ok(_) => continue,
                // The store is closed.
                Err(RecvError::Closed) => break,
            },
            () = tokio::time::sleep_until(poll_at) => {}
        }
        poll_at = tokio::time::Instant::now() + jittered(POLL);
        let watched = life.watchers.watched();
        if watched.is_empty() {
            continue;
        }
        match written_to(&mut link, &watched).await {
            Ok(run_ids) => life.watchers.tell(&run_ids),
            Err(error) => {
                tracing::debug!(%error, "inboxes could not be read");
                link.forget();
            }
        }
    }
    link.close().await;
}

/// Returns those of these runs that have messages.
async fn written_to(
    link: &mut crate::link::Link,
    run_ids: &[Uuid],
) -> Result<Vec<Uuid>, crate::Error> {
    let found = sqlx::query_file_scalar!("queries/poll_inbox.sql", run_ids)
        .fetch_all(link.get().await?)
        .await?;
    Ok(found)
}
