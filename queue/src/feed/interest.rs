//! Who wants to hear of changes. A process with listeners says so every few seconds; workers that
//! have heard it say after a commit what moved. Without listeners a commit pays for one look at a clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::Store;
use crate::listen::Hint;

/// How often a process with listeners says so.
pub(super) const REPEAT: Duration = Duration::from_secs(3);
/// When an interest that is not repeated is forgotten: two words may be lost.
const KEPT: Duration = Duration::from_secs(10);
/// Watched runs that are remembered: whoever watches more hears of the rest by asking.
const RUNS_MAX: usize = 50_000;

/// What this process knows of who listens, anywhere.
#[derive(Debug)]
pub(crate) struct Interest {
    started: Instant,
    /// Milliseconds after `started` until which anybody is interested in anything.
    until_ms: AtomicU64,
    wanted: Mutex<Wanted>,
}

#[derive(Debug, Default)]
struct Wanted {
    /// Until when all records are wanted.
    all: Option<Instant>,
    runs: HashMap<Uuid, Instant>,
}

impl Default for Interest {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            until_ms: AtomicU64::new(0),
            wanted: Mutex::default(),
        }
    }
}

impl Interest {
    /// Takes note that somebody watches these runs, or (none) everything.
    pub(crate) fn note(&self, run_ids: &[Uuid]) {
        let now = Instant::now();
        let until = now + KEPT;
        let mut wanted = self.lock();
        if run_ids.is_empty() {
            wanted.all = Some(until);
        } else {
            if wanted.runs.len() + run_ids.len() > RUNS_MAX {
                wanted.runs.retain(|_, until| *until > now);
            }
            let room = RUNS_MAX.saturating_sub(wanted.runs.len());
            wanted
                .runs
                .extend(run_ids.iter().take(room).map(|id| (*id, until)));
        }
        drop(wanted);
        let ms = until.duration_since(self.started).as_millis();
        let ms = u64::try_from(ms).unwrap_or(u64::MAX);
        self.until_ms.fetch_max(ms, Ordering::Relaxed);
    }

    /// Returns what to say of these changed runs: the watched ones, and whether anything at all is to
    /// be said to those who follow everything.
    fn among(&self, run_ids: impl Iterator<Item = Uuid>) -> (Vec<Uuid>, bool) {
        let now = Instant::now();
        let ms = u64::try_from(now.duration_since(self.started).as_millis()).unwrap_or(u64::MAX);
        if ms >= self.until_ms.load(Ordering::Relaxed) {
            return (Vec::new(), false);
        }
        let wanted = self.lock();
        let all = wanted.all.is_some_and(|until| until > now);
        let watched = if wanted.runs.is_empty() {
            Vec::new()
        } else {
            let is_watched = |id: &Uuid| wanted.runs.get(id).is_some_and(|until| *until > now);
            run_ids.filter(is_watched).collect()
        };
        (watched, all)
    }

    fn lock(&self) -> MutexGuard<'_, Wanted> {
        // A map that a panicking thread touched is still a map.
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Says, after the commit, that these runs have new records, if anybody listens. Never waits.
    pub(crate) fn tell_watchers(&self, run_ids: impl Iterator<Item = Uuid>) {
        let (mut run_ids, all) = self.desk.interest.among(run_ids);
        if !run_ids.is_empty() {
            // A run has several records in a commit.
            run_ids.sort_unstable();
            run_ids.dedup();
            self.announce(Hint::Moved { run_ids });
        }
        if all {
            self.announce(Hint::Moved {
                run_ids: Vec::new(),
            });
        }
    }

    /// Says that this process watches these runs, or (none) everything.
    pub(super) fn say_watching(&self, run_ids: Vec<Uuid>) {
        self.desk.interest.note(&run_ids);
        self.announce(Hint::Watching { run_ids });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_watched_is_told() {
        let interest = Interest::default();
        let (a, b) = (crate::clock::id(), crate::clock::id());
        assert_eq!(interest.among([a, b].into_iter()), (vec![], false));
        interest.note(&[a]);
        assert_eq!(interest.among([a, b].into_iter()), (vec![a], false));
        interest.note(&[]);
        assert_eq!(interest.among([b].into_iter()), (vec![], true));
    }
}
