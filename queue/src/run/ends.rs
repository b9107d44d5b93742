//! Waiting for runs to end. All waiters of a process share one task: it hears [`Hint::Ended`], and
//! asks about all of them in one statement every half second, for hints may be lost.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use crate::listen::Hint;
use crate::{Error, Store};

/// Callers that wait at once: each holds an open request, and all of them go into one poll.
const WAITERS_MAX: usize = 10_000;
/// How often the database is asked about runs whose hint has not come.
const POLL: Duration = Duration::from_millis(500);

/// Who waits for which run. Shared by all clones of a [`Store`].
#[derive(Debug, Default)]
pub(crate) struct Ends {
    waiting: Mutex<Waiting>,
}

#[derive(Debug, Default)]
struct Waiting {
    by_run: HashMap<Uuid, Vec<(u64, oneshot::Sender<()>)>>,
    count: usize,
    next_ticket: u64,
    /// Whether the shared task runs; it ends when nobody waits.
    served: bool,
}

/// A place among those who wait for a run's end. Dropping it gives the place up.
#[derive(Debug)]
pub struct EndWait {
    ends: Arc<Ends>,
    run_id: Uuid,
    ticket: u64,
    over: oneshot::Receiver<()>,
}

impl EndWait {
    /// Returns when the run is over.
    pub async fn over(&mut self) {
        // A sender that is dropped unsent belongs to a runtime that is shutting down.
        let _ = (&mut self.over).await;
    }
}

impl Drop for EndWait {
    fn drop(&mut self) {
        let mut waiting = self.ends.lock();
        if let Some(waiters) = waiting.by_run.get_mut(&self.run_id) {
            let before = waiters.len();
            waiters.retain(|(ticket, _)| *ticket != self.ticket);
            let gone = before - waiters.len();
            if waiters.is_empty() {
                waiting.by_run.remove(&self.run_id);
            }
            waiting.count -= gone;
        }
    }
}

impl Ends {
    // Nothing panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; `None` when all are taken. The second value: the task must be started.
    fn enter(self: &Arc<Self>, run_id: Uuid) -> Option<(EndWait, bool)> {
        let mut waiting = self.lock();
        if waiting.count >= WAITERS_MAX {
            return None;
        }
        waiting.count += 1;
        waiting.next_ticket += 1;
        let ticket = waiting.next_ticket;
        let (sender, over) = oneshot::channel();
        waiting
            .by_run
            .entry(run_id)
            .or_default()
            .push((ticket, sender));
        let start = !std::mem::replace(&mut waiting.served, true);
        drop(waiting);
        let wait = EndWait {
            ends: Arc::clone(self),
            run_id,
            ticket,
            over,
        };
        Some((wait, start))
    }

    fn wake(&self, run_ids: &[Uuid]) {
        let mut waiting = self.lock();
        for run_id in run_ids {
            if let Some(waiters) = waiting.by_run.remove(run_id) {
                waiting.count -= waiters.len();
                for (_, sender) in waiters {
                    // The caller may have gone away meanwhile.
                    let _ = sender.send(());
                }
            }
        }
    }

    fn awaited(&self) -> Vec<Uuid> {
        self.lock().by_run.keys().copied().collect()
    }

    /// Says that the task ends, unless somebody waits.
    fn retire(&self) -> bool {
        let mut waiting = self.lock();
        if waiting.by_run.is_empty() {
            waiting.served = false;
        }
        !waiting.served
    }
}

impl Store {
    /// Takes a place among those who wait for this run's end. To miss nothing, take it before the
    /// run is enqueued, with `awaited` set. `None`: too many wait already.
    #[must_use]
    pub fn await_end(&self, run_id: Uuid) -> Option<EndWait> {
        let (wait, start) = self.ends.enter(run_id)?;
        if start {
            tokio::spawn(serve(self.clone()));
        }
        Some(wait)
    }

    /// Returns those of the runs that are over.
    async fn ended_among(&self, run_ids: &[Uuid]) -> Result<Vec<Uuid>, Error> {
        Ok(sqlx::query_scalar!(
            "select r.id from stepwell.run r where r.id = any($1) and r.status <> 'pending'",
            run_ids
        )
        .fetch_all(&self.lookups)
        .await?)
    }
}

/// Serves all waiters until there are none.
async fn serve(store: Store) {
    let ends = Arc::clone(&store.ends);
    let mut hints = store.hints();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let ask = tokio::select! {
            hint = hints.recv() => match hint {
                Ok(Hint::Ended { run_ids }) => {
                    ends.wake(&run_ids);
                    false
                }
                Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => true,
                Ok(_) => false,
                Err(RecvError::Closed) => {
                    poll.tick().await;
                    true
                }
            },
            _ = poll.tick() => true,
        };
        if !ask {
            continue;
        }
        if ends.retire() {
            return;
        }
        // While the database is away nobody is told anything; the next poll asks again.
        match store.ended_among(&ends.awaited()).await {
            Ok(over) => ends.wake(&over),
            Err(error) => tracing::debug!(%error, "could not ask which awaited runs are over"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiter_is_woken_and_leaves_no_trace() {
        let ends = Arc::new(Ends::default());
        let run_id = crate::clock::id();
        let (mut first, start) = ends.enter(run_id).expect("there is room");
        assert!(start, "the first waiter starts the task");
        let (second, start) = ends.enter(run_id).expect("there is room");
        assert!(!start);
        drop(second);
        assert_eq!(ends.lock().count, 1);
        ends.wake(&[run_id]);
        first.over().await;
        drop(first);
        assert_eq!(ends.lock().count, 0);
        assert!(ends.retire());
    }

    #[tokio::test]
    async fn places_are_bounded() {
        let ends = Arc::new(Ends::default());
        let mut places: Vec<EndWait> = (0..WAITERS_MAX)
            .map(|_| ends.enter(crate::clock::id()).expect("there is room").0)
            .collect();
        assert!(ends.enter(crate::clock::id()).is_none());
        places.pop();
        assert!(ends.enter(crate::clock::id()).is_some());
    }
}
