//! Who follows which run, and how far each has come.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::read::Read;
use super::{RunWatch, Watched};

/// Listeners of one process: each holds an open stream, and all of them go into one poll.
const LISTENERS_MAX: usize = 10_000;
/// Records that wait for one listener.
pub(super) const BUFFER: usize = 64;
/// Runs read in one statement: it stays short.
const RUNS_PER_READ: usize = 2_000;

/// Who follows which run. Shared by all clones of a [`Store`].
#[derive(Debug, Default)]
pub(in crate::feed) struct Watches {
    watching: Mutex<Watching>,
    /// A listener has come, or has emptied its buffer.
    pub(super) called: Notify,
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

impl Listener {
    /// Puts a record into its buffer, or passes it over from now on.
    fn give(&mut self, watched: &Watched) {
        if self.sender.try_send(watched.clone()).is_err() {
            // Said before the second try: a listener that empties its buffer meanwhile sees either the
            // record or the word.
            self.behind.store(true, Ordering::SeqCst);
            if self.sender.try_send(watched.clone()).is_err() {
                self.full = true;
                return;
            }
            self.behind.store(false, Ordering::SeqCst);
        }
        self.position = watched.record.sequence;
    }
}

impl Watches {
    // Nothing panics while it holds the lock, so a poisoned one is still whole.
    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.watching.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; `None` when all are taken. The second value: the task must be started.
    pub(super) fn enter(self: &Arc<Self>, run_id: Uuid, after: i64) -> Option<(RunWatch, bool)> {
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

    pub(super) fn leave(&self, run_id: Uuid, ticket: u64) {
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
    pub(super) fn take_up(&self, run_id: Uuid, ticket: u64) {
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
    pub(super) fn mark(&self, run_ids: Option<&[Uuid]>) {
        let mut watching = self.lock();
        let Watching { by_run, due, .. } = &mut *watching;
        match run_ids {
            Some(run_ids) => due.extend(run_ids.iter().filter(|id| by_run.contains_key(id))),
            None => due.extend(by_run.keys()),
        }
    }

    /// Takes the next places to read from: each run with the number to read after. None of them is
    /// that of a listener whose buffer is full. `None`: no run is due.
    pub(super) fn take_due(&self) -> Option<BTreeSet<(Uuid, i64)>> {
        let mut watching = self.lock();
        if watching.due.is_empty() {
            return None;
        }
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
        Some(places)
    }

    /// Hands round what was read.
    pub(super) fn hand_round(&self, reads: &[Read]) {
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
                listener.give(&read.watched);
            }
        }
        let full = pages.into_iter().filter(|(_, records)| *records >= BUFFER);
        let unfinished: Vec<_> = full.map(|((run_id, _), _)| run_id).collect();
        let Watching { by_run, due, .. } = &mut *watching;
        due.extend(unfinished.iter().filter(|id| by_run.contains_key(id)));
    }

    pub(super) fn take_new(&self) -> Vec<Uuid> {
        std::mem::take(&mut self.lock().new)
    }

    pub(super) fn run_ids(&self) -> Vec<Uuid> {
        self.lock().by_run.keys().copied().collect()
    }

    /// Says that the task ends, unless somebody follows a run.
    pub(super) fn retire(&self) -> bool {
        let mut watching = self.lock();
        if watching.by_run.is_empty() {
            watching.served = false;
        }
        !watching.served
    }

    /// The store closes: every listener hears the end.
    pub(super) fn dismiss(&self) {
        let mut watching = self.lock();
        watching.by_run.clear();
        watching.count = 0;
        watching.served = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::super::FeedRecord;
    use super::*;

    fn read(run_id: Uuid, after: i64, sequence: i64) -> Read {
        let record = FeedRecord {
            id: crate::clock::id(),
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
        let run_id = crate::clock::id();
        let (mut slow, start) = watches.enter(run_id, 0).unwrap();
        assert!(start, "the first listener starts the task");
        let reads: Vec<_> = (1..=64).map(|n| read(run_id, 0, n)).collect();
        assert_eq!(watches.take_due().unwrap(), BTreeSet::from([(run_id, 0)]));
        watches.hand_round(&reads);
        let rest = watches.take_due();
        assert_eq!(
            rest.unwrap(),
            BTreeSet::from([(run_id, 64)]),
            "a full page is read on from"
        );
        let (mut quick, start) = watches.enter(run_id, 64).unwrap();
        assert!(!start);
        assert_eq!(watches.take_due().unwrap(), BTreeSet::from([(run_id, 64)]));
        watches.hand_round(&[read(run_id, 64, 65)]);
        assert_eq!(quick.next().await.unwrap().record.sequence, 65);
        watches.mark(None);
        assert_eq!(watches.take_due().unwrap(), BTreeSet::from([(run_id, 65)]));
        for n in 1..=64 {
            assert_eq!(slow.next().await.unwrap().record.sequence, n);
        }
        let waiting = tokio::spawn(async move { slow.next().await.unwrap().record.sequence });
        watches.called.notified().await;
        while watches.lock().due.is_empty() {
            watches.called.notified().await;
        }
        assert_eq!(
            watches.take_due().unwrap(),
            BTreeSet::from([(run_id, 64), (run_id, 65)])
        );
        watches.hand_round(&[read(run_id, 64, 65)]);
        assert_eq!(waiting.await.unwrap(), 65);
        drop(quick);
        assert_eq!(watches.lock().count, 0);
        assert!(watches.retire());
    }
}
