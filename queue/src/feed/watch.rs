//! Following single runs. One task and one connection serve all listeners of a process: what the hints
//! name, and everything a few times a second, is read in one statement and handed round.
//!
//! Each listener has a bounded buffer. When it is full the listener is left where it is; once it has
//! emptied its buffer it is read for from its own place again. So nobody waits for it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio::time::MissedTickBehavior;
use uuid::Uuid;

use super::interest::REPEAT;
use super::record::{FeedRecord, json};
use crate::backoff::Backoff;
use crate::link::{Link, timed_out};
use crate::listen::Hint;
use crate::run::bounds::smallest_id_about;
use crate::{Error, Store};

/// Listeners of one process: each holds an open stream, and all of them go into one poll.
pub(super) const LISTENERS_MAX: usize = 10_000;
/// Records that wait for one listener.
const BUFFER: usize = 64;
/// How often all watched runs are asked about, whatever the hints say.
const POLL: Duration = Duration::from_millis(250);
/// Between two readings: hints that come meanwhile go into one.
const GAP: Duration = Duration::from_millis(2);
/// A poll takes at most one part in so many of the time.
const POLL_SHARE: u32 = 10;
/// Runs read in one statement: it stays short.
const RUNS_PER_READ: usize = 2_000;
/// How long a reading may take before the connection is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

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
        if self.behind.swap(false, Ordering::AcqRel) {
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

/// Who follows which run. Shared by all clones of a [`Store`].
#[derive(Debug, Default)]
pub(super) struct Watches {
    watching: Mutex<Watching>,
    /// A listener has come, or has emptied its buffer.
    called: Notify,
}

#[derive(Debug, Default)]
struct Watching {
    by_run: HashMap<Uuid, Vec<Listener>>,
    /// Runs to be read without waiting for a hint.
    due: HashSet<Uuid>,
    /// Runs that no process has been told of yet.
    new: Vec<Uuid>,
    count: usize,
    next_ticket: u64,
    /// Whether the shared task runs; it ends when nobody follows anything.
    served: bool,
}

#[derive(Debug)]
struct Listener {
    ticket: u64,
    /// The number of the last record in its buffer or out of it.
    position: i64,
    /// Its buffer was full: it is passed over until it has emptied it.
    full: bool,
    behind: Arc<AtomicBool>,
    sender: mpsc::Sender<Watched>,
}

/// One record as it was read: which run, after which number, what.
#[derive(Debug)]
struct Read {
    run_id: Uuid,
    after: i64,
    watched: Watched,
}

impl Watches {
    // Nothing panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; `None` when all are taken. The second value: the task must be started.
    fn enter(self: &Arc<Self>, run_id: Uuid, after: i64) -> Option<(RunWatch, bool)> {
        let (sender, records) = mpsc::channel(BUFFER);
        let behind = Arc::new(AtomicBool::new(false));
        let mut watching = self.lock();
        if watching.count >= LISTENERS_MAX {
            return None;
        }
        watching.count += 1;
        watching.next_ticket += 1;
        let ticket = watching.next_ticket;
        watching.by_run.entry(run_id).or_default().push(Listener {
            ticket,
            position: after,
            full: false,
            behind: Arc::clone(&behind),
            sender,
        });
        watching.due.insert(run_id);
        watching.new.push(run_id);
        let start = !std::mem::replace(&mut watching.served, true);
        drop(watching);
        self.called.notify_one();
        let watch = RunWatch {
            watches: Arc::clone(self),
            run_id,
            ticket,
            records,
            behind,
        };
        Some((watch, start))
    }

    fn leave(&self, run_id: Uuid, ticket: u64) {
        let mut watching = self.lock();
        let Some(listeners) = watching.by_run.get_mut(&run_id) else {
            return;
        };
        let before = listeners.len();
        listeners.retain(|listener| listener.ticket != ticket);
        let gone = before - listeners.len();
        if listeners.is_empty() {
            watching.by_run.remove(&run_id);
            watching.due.remove(&run_id);
        }
        watching.count -= gone;
    }

    /// A listener that was passed over has emptied its buffer.
    fn take_up(&self, run_id: Uuid, ticket: u64) {
        let mut watching = self.lock();
        let listeners = watching.by_run.get_mut(&run_id);
        let listener = listeners
            .into_iter()
            .flatten()
            .find(|listener| listener.ticket == ticket);
        if let Some(listener) = listener {
            listener.full = false;
            watching.due.insert(run_id);
        }
        drop(watching);
        self.called.notify_one();
    }

    /// Marks these runs, or (`None`) all, to be read.
    fn mark(&self, run_ids: Option<&[Uuid]>) {
        let mut watching = self.lock();
        let Watching { by_run, due, .. } = &mut *watching;
        match run_ids {
            Some(run_ids) => due.extend(run_ids.iter().filter(|id| by_run.contains_key(id))),
            None => due.extend(by_run.keys()),
        }
    }

    /// Takes the next places to read from: each run with the number to read after. The second value:
    /// whether there are more.
    fn take_due(&self) -> (BTreeSet<(Uuid, i64)>, bool) {
        let mut watching = self.lock();
        let run_ids: Vec<_> = watching.due.iter().take(RUNS_PER_READ).copied().collect();
        let mut places = BTreeSet::new();
        for run_id in run_ids {
            watching.due.remove(&run_id);
            let listeners = watching.by_run.get(&run_id).into_iter().flatten();
            places.extend(
                listeners
                    .filter(|listener| !listener.full)
                    .map(|listener| (run_id, listener.position)),
            );
        }
        (places, !watching.due.is_empty())
    }

    /// Hands round what was read.
    fn hand_round(&self, reads: &[Read]) {
        let mut watching = self.lock();
        let mut pages: HashMap<(Uuid, i64), usize> = HashMap::new();
        for read in reads {
            *pages.entry((read.run_id, read.after)).or_default() += 1;
            let listeners = watching.by_run.get_mut(&read.run_id).into_iter().flatten();
            for listener in listeners {
                let sequence = read.watched.record.sequence;
                // One that reads from further back gets there by its own reading.
                if listener.full || listener.position < read.after || listener.position >= sequence
                {
                    continue;
                }
                match listener.sender.try_send(read.watched.clone()) {
                    Ok(()) => listener.position = sequence,
                    Err(_) => {
                        listener.full = true;
                        listener.behind.store(true, Ordering::Release);
                    }
                }
            }
        }
        let full = pages.into_iter().filter(|(_, records)| *records >= BUFFER);
        let unfinished: Vec<_> = full.map(|((run_id, _), _)| run_id).collect();
        let Watching { by_run, due, .. } = &mut *watching;
        due.extend(unfinished.iter().filter(|id| by_run.contains_key(id)));
    }

    fn take_new(&self) -> Vec<Uuid> {
        std::mem::take(&mut self.lock().new)
    }

    fn run_ids(&self) -> Vec<Uuid> {
        self.lock().by_run.keys().copied().collect()
    }

    /// Says that the task ends, unless somebody follows a run.
    fn retire(&self) -> bool {
        let mut watching = self.lock();
        if watching.by_run.is_empty() {
            watching.served = false;
        }
        !watching.served
    }

    /// The store closes: every listener hears the end.
    fn dismiss(&self) {
        let mut watching = self.lock();
        watching.by_run.clear();
        watching.count = 0;
        watching.served = false;
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
        loop {
            let (places, more) = watches.take_due();
            if places.is_empty() {
                break;
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
            if !more {
                break;
            }
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

/// Reads what is next at these places, in one statement.
async fn read(link: &mut Link, places: &BTreeSet<(Uuid, i64)>) -> Result<Vec<Read>, Error> {
    let run_ids: Vec<_> = places.iter().map(|(run_id, _)| *run_id).collect();
    let after: Vec<_> = places.iter().map(|(_, after)| *after).collect();
    let from: Vec<_> = run_ids.iter().map(|id| smallest_id_about(*id)).collect();
    let reading = sqlx::query_file!(
        "queries/feed/of_runs.sql",
        &run_ids,
        &after,
        &from,
        i64::try_from(BUFFER).unwrap_or(i64::MAX),
    )
    .fetch_all(link.get().await?);
    let rows = tokio::time::timeout(READ_TIMEOUT, reading)
        .await
        .map_err(|_| timed_out("reading what happened to watched runs"))??;
    rows.into_iter()
        .map(|row| {
            let record = FeedRecord {
                id: row.id,
                at: row.at,
                entity_type: row.entity_type,
                entity_id: row.run_id,
                sequence: row.sequence,
                step: row.step,
                action: row.action,
                before: json(row.before)?,
                after: json(row.after_value)?,
                detail: json(row.detail)?,
                actor: row.actor,
                request_id: row.request_id,
                workflow_id: row.workflow_id,
                workflow_name: row.workflow_name,
            };
            Ok(Read {
                run_id: row.run_id,
                after: row.after,
                watched: Watched {
                    record: Arc::new(record),
                    last: row.last,
                },
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    fn read(run_id: Uuid, after: i64, sequence: i64) -> Read {
        let record = FeedRecord {
            id: Uuid::now_v7(),
            at: stepwell_workflow::Time::UNIX_EPOCH,
            entity_type: "run".into(),
            entity_id: run_id,
            sequence,
            step: None,
            action: "run.noted".into(),
            before: None,
            after: None,
            detail: None,
            actor: "tester".into(),
            request_id: None,
            workflow_id: None,
            workflow_name: None,
        };
        Read {
            run_id,
            after,
            watched: Watched {
                record: Arc::new(record),
                last: false,
            },
        }
    }

    #[tokio::test]
    async fn a_full_listener_holds_nobody_up_and_goes_on_where_it_was() {
        let watches = Arc::new(Watches::default());
        let run_id = Uuid::now_v7();
        let (mut slow, start) = watches.enter(run_id, 0).unwrap();
        assert!(start, "the first listener starts the task");
        let reads: Vec<_> = (1..=64).map(|n| read(run_id, 0, n)).collect();
        assert_eq!(watches.take_due().0, BTreeSet::from([(run_id, 0)]));
        watches.hand_round(&reads);
        let (mut quick, start) = watches.enter(run_id, 64).unwrap();
        assert!(!start);
        assert_eq!(watches.take_due().0, BTreeSet::from([(run_id, 64)]));
        watches.hand_round(&[read(run_id, 64, 65)]);
        assert_eq!(quick.next().await.unwrap().record.sequence, 65);
        watches.mark(None);
        assert_eq!(watches.take_due().0, BTreeSet::from([(run_id, 65)]));
        for n in 1..=64 {
            assert_eq!(slow.next().await.unwrap().record.sequence, n);
        }
        let waiting = tokio::spawn(async move { slow.next().await.unwrap().record.sequence });
        watches.called.notified().await;
        while watches.lock().due.is_empty() {
            watches.called.notified().await;
        }
        assert_eq!(
            watches.take_due().0,
            BTreeSet::from([(run_id, 64), (run_id, 65)])
        );
        watches.hand_round(&[read(run_id, 64, 65)]);
        assert_eq!(waiting.await.unwrap(), 65);
        drop(quick);
        assert_eq!(watches.lock().count, 0);
        assert!(watches.retire());
    }
}
