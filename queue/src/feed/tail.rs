//! Following everything. One task reads the feed for all listeners of a process. A listener that comes
//! from an old cursor, or has fallen behind, reads for itself until it has caught up.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::time::MissedTickBehavior;

use super::cursor::Cursor;
use super::interest::REPEAT;
use super::page::Fed;
use crate::backoff::Backoff;
use crate::listen::Hint;
use crate::{Error, Store};

/// Listeners of one process: each looks at every record of every run.
pub(super) const TAILS_MAX: usize = 1_000;
/// Records that the slowest listener may be behind before it reads for itself. They are shared.
const BEHIND_MAX: usize = 4_096;
/// Records read at once.
const PAGE: usize = 500;
/// How often the feed is read, whatever the hints say.
const POLL: Duration = Duration::from_millis(250);
/// Between two readings: hints that come meanwhile go into one.
const GAP: Duration = Duration::from_millis(4);
/// Readings take at most one part in so many of the time.
const SHARE: u32 = 4;

/// What all listeners of a process share.
#[derive(Debug)]
pub(super) struct Tails {
    records: broadcast::Sender<Arc<Fed>>,
    state: Mutex<State>,
    /// How often the database was found to be another one.
    databases: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    count: usize,
    served: bool,
}

impl Default for Tails {
    fn default() -> Self {
        Self {
            records: broadcast::channel(BEHIND_MAX).0,
            state: Mutex::default(),
            databases: AtomicU64::new(0),
        }
    }
}

impl Tails {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Two numbers are whole whatever happened.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that the task ends, unless somebody listens.
    fn retire(&self) -> bool {
        let mut state = self.lock();
        if state.count == 0 {
            state.served = false;
        }
        !state.served
    }
}

/// A place among those who follow everything. Dropping it gives the place up.
#[derive(Debug)]
pub struct Tail {
    store: Store,
    live: broadcast::Receiver<Arc<Fed>>,
    /// How far this listener has read.
    cursor: Cursor,
    /// Read by itself and not yet taken.
    waiting: VecDeque<Arc<Fed>>,
    /// What it has seen by its own reading: the shared one may bring it again. `None`: it has not
    /// caught up.
    joined: Option<Cursor>,
    /// The count of databases when it began with this one.
    database: u64,
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.store.feed.tails.lock().count -= 1;
    }
}

impl Tail {
    /// Returns the next record. `None`: the store was closed.
    ///
    /// # Errors
    /// [`Error::Unavailable`] while catching up; it may be called again.
    pub async fn next(&mut self) -> Result<Option<Arc<Fed>>, Error> {
        let tails = &self.store.feed.tails;
        loop {
            if let Some(fed) = self.waiting.pop_front() {
                self.cursor = fed.cursor.clone();
                return Ok(Some(fed));
            }
            let Some(joined) = &self.joined else {
                let page = self.store.records_after(&self.cursor, PAGE).await?;
                if !page.more {
                    self.joined = Some(page.cursor.clone());
                }
                self.cursor = page.cursor;
                self.waiting = page.records.into_iter().map(Arc::new).collect();
                continue;
            };
            tokio::select! {
                () = self.store.desk.closing.cancelled() => return Ok(None),
                heard = self.live.recv() => match heard {
                    // What it has seen says nothing about another database.
                    Ok(_) if tails.databases.load(Ordering::SeqCst) != self.database => {
                        self.database = tails.databases.load(Ordering::SeqCst);
                        self.joined = None;
                    }
                    Ok(fed) if joined.has_seen(fed.transaction) => {}
                    Ok(fed) => {
                        self.cursor = fed.cursor.clone();
                        return Ok(Some(fed));
                    }
                    Err(RecvError::Lagged(_)) => {
                        self.live = self.live.resubscribe();
                        self.joined = None;
                    }
                    Err(RecvError::Closed) => return Ok(None),
                },
            }
        }
    }
}

impl Store {
    /// Follows everything from this cursor on, or from now. `None`: too many listen already.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn tail(&self, cursor: Option<Cursor>) -> Result<Option<Tail>, Error> {
        let tails = &self.feed.tails;
        // Before anything is read: what the shared task reads from now on is heard.
        let database = tails.databases.load(Ordering::SeqCst);
        let live = tails.records.subscribe();
        // Before the task is known to run: what a listener reads for itself from now on begins where
        // the task begins or later, so nothing falls between the two.
        let now = self.feed_now().await?;
        let start = {
            let mut state = tails.lock();
            if state.count >= TAILS_MAX {
                return Ok(None);
            }
            state.count += 1;
            !std::mem::replace(&mut state.served, true)
        };
        if start {
            tokio::spawn(serve(self.clone(), now.clone()));
        }
        Ok(Some(Tail {
            store: self.clone(),
            live,
            cursor: cursor.unwrap_or(now),
            waiting: VecDeque::new(),
            joined: None,
            database,
        }))
    }
}

/// Reads for all listeners until there are none.
async fn serve(store: Store, mut cursor: Cursor) {
    let tails = &store.feed.tails;
    let mut hints = store.hints();
    let mut backoff = Backoff::new();
    let mut poll = tokio::time::interval(POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut repeat = tokio::time::interval(REPEAT);
    repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let read = tokio::select! {
            () = store.desk.closing.cancelled() => return,
            hint = hints.recv() => match hint {
                Ok(Hint::Moved { run_ids }) => run_ids.is_empty(),
                Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => true,
                Ok(_) => false,
                Err(RecvError::Closed) => {
                    poll.tick().await;
                    true
                }
            },
            _ = repeat.tick() => {
                store.say_watching(Vec::new());
                false
            }
            _ = poll.tick() => {
                if tails.retire() {
                    return;
                }
                true
            }
        };
        if !read {
            continue;
        }
        // Whatever has been said until now is answered by this reading.
        while !matches!(
            hints.try_recv(),
            Err(TryRecvError::Empty | TryRecvError::Closed)
        ) {}
        let begun = Instant::now();
        match advance(&store, &mut cursor).await {
            Ok(()) => {
                backoff.reset();
                tokio::time::sleep(GAP.max(begun.elapsed() * (SHARE - 1))).await;
            }
            Err(error) => {
                tracing::debug!(%error, "could not read the feed");
                backoff.wait().await;
            }
        }
    }
}

/// Reads on and hands round. On an error the place that was reached is kept.
async fn advance(store: &Store, cursor: &mut Cursor) -> Result<(), Error> {
    loop {
        let page = store.records_after(cursor, PAGE).await?;
        if page.anew {
            // Each listener begins anew as well, from its own place. Said before the first record is.
            store.feed.tails.databases.fetch_add(1, Ordering::SeqCst);
        }
        for fed in page.records {
            // Nobody listening is no fault.
            let _ = store.feed.tails.records.send(Arc::new(fed));
        }
        *cursor = page.cursor;
        if !page.more {
            return Ok(());
        }
    }
}
