//! Following single runs. One task and one connection serve all listeners of a process: what the hints
//! name, and everything a few times a second, is read in one statement and handed round.
//!
//! Each listener has a bounded buffer. When it is full the listener is left where it is; once it has
//! emptied its buffer it is read for from its own place again. So nobody waits for it.

mod places;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::interest::REPEAT;
use super::record::FeedRecord;
pub(super) use places::Watches;
use read::read;

use crate::Store;
use crate::backoff::Backoff;
use crate::listen::Hint;

/// How often all watched runs are asked about, whatever the hints say.
const POLL: Duration = Duration::from_millis(250);
/// Between two readings: hints that come meanwhile go into one.
const GAP: Duration = Duration::from_millis(2);
/// A poll takes at most one part in so many of the time.
const POLL_SHARE: u32 = 10;

/// A record of a watched run.
#[derive(Clone, Debug)]
pub struct Watched {
    pub record: Arc<FeedRecord>,
    /// The run ended with it: unless somebody retries the run, no other will follow.
    pub last: bool,
}

/// A place among those who follow a run. Dropping it gives the place up.
#[derive(Debug)]
pub struct RunWatch {
    watches: Arc<Watches>,
    run_id: Uuid,
    ticket: u64,
    records: mpsc::Receiver<Watched>,
    behind: Arc<AtomicBool>,
}

impl RunWatch {
    /// Returns the next record, in the order of their numbers. `None`: the store was closed.
    pub async fn next(&mut self) -> Option<Watched> {
        if let Ok(record) = self.records.try_recv() {
            return Some(record);
        }
        if self.behind.swap(false, Ordering::SeqCst) {
            self.watches.take_up(self.run_id, self.ticket);
        }
        self.records.recv().await
    }
}

impl Drop for RunWatch {
    fn drop(&mut self) {
        self.watches.leave(self.run_id, self.ticket);
    }
}

impl Store {
    /// Follows a run from after record number `after` (0: from the first), whether it exists or not.
    /// `None`: too many listen already.
    #[must_use]
    pub fn watch(&self, run_id: Uuid, after: i64) -> Option<RunWatch> {
        let (watch, start) = self.feed.watches.enter(run_id, after)?;
        if start {
            tokio::spawn(serve(self.clone()));
        }
        Some(watch)
    }
}

/// Serves all listeners until there are none.
async fn serve(store: Store) {
    let watches = Arc::clone(&store.feed.watches);
    let mut hints = store.hints();
    let mut link = store.steady_link();
    let mut backoff = Backoff::new();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut repeat = tokio::time::interval(REPEAT);
    repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut poll_again = Instant::now();
    loop {
        tokio::select! {
            () = store.desk.closing.cancelled() => break,
            hint = hints.recv() => if !heed(&watches, hint) {
                poll.tick().await;
            },
            () = watches.called.notified() => {}
            _ = repeat.tick() => say(&store, watches.run_ids()),
            _ = poll.tick() => if poll_again <= Instant::now() {
                if watches.retire() {
                    link.close().await;
                    return;
                }
                watches.mark(None);
            },
        }
        drain(&watches, &mut hints);
        say(&store, watches.take_new());
        let begun = Instant::now();
        // A page that was full leaves its run due: whoever follows from far back waits for no poll.
        while let Some(places) = watches.take_due() {
            if places.is_empty() {
                continue;
            }
            match read(&mut link, &places).await {
                Ok(reads) => {
                    backoff.reset();
                    watches.hand_round(&reads);
                }
                Err(error) => {
                    tracing::debug!(%error, "could not read what happened to watched runs");
                    link.forget();
                    backoff.wait().await;
                }
            }
            // Nobody waits until the one who is far behind has come up.
            drain(&watches, &mut hints);
        }
        poll_again = Instant::now() + begun.elapsed() * POLL_SHARE;
        tokio::time::sleep(GAP).await;
    }
    watches.dismiss();
    link.close().await;
}

/// Takes in a hint. `false`: there will be none any more.
fn heed(watches: &Watches, hint: Result<Hint, RecvError>) -> bool {
    match hint {
        Ok(Hint::Moved { run_ids }) if !run_ids.is_empty() => watches.mark(Some(&run_ids)),
        Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => watches.mark(None),
        Ok(_) => {}
        Err(RecvError::Closed) => return false,
    }
    true
}

/// Takes in the hints that have come meanwhile.
fn drain(watches: &Watches, hints: &mut broadcast::Receiver<Hint>) {
    loop {
        match hints.try_recv() {
            Ok(hint) => {
                heed(watches, Ok(hint));
            }
            Err(TryRecvError::Lagged(missed)) => {
                heed(watches, Err(RecvError::Lagged(missed)));
            }
            Err(TryRecvError::Empty | TryRecvError::Closed) => return,
        }
    }
}

/// Tells every process which runs are watched here.
fn say(store: &Store, run_ids: Vec<Uuid>) {
    if !run_ids.is_empty() {
        store.say_watching(run_ids);
    }
}
