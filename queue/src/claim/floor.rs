//! Where the claim starts to read (D7).
//!
//! A long transaction elsewhere keeps the dead rows of claimed jobs in the index, and a scan from
//! the beginning walks over all of them. So the claim remembers how far it came, per queue, and
//! goes on from there. Jobs that come in behind that place (priorities, jobs woken or given back,
//! clocks that differ) are found by full scans: at least one a second, at once when the queue is not
//! backed up.
//!
//! When a full scan is dear, somebody holds an old snapshot, and it gets dearer by the minute. Then
//! the table itself is looked through for them, slice by slice ([`super::behind`]), for no more than
//! a tenth of the time. A full scan is tried now and then, and broken off where it takes too long.

use std::time::{Duration, Instant};

use stepwell_workflow::Time;
use uuid::Uuid;

use super::behind::Walk;
use super::mark::Mark;

/// A full scan comes at the latest after this time, while it is cheap.
const FULL_SCAN_EVERY: Duration = Duration::from_secs(1);
/// What a scan wasted is followed by nine times as long without one.
const REST_FACTOR: u32 = 9;
/// A scan that wasted so much more than one from the floor is dear: all that are due wait for it.
const DEAR: Duration = Duration::from_millis(10);
/// What a job that is found may cost, generously: the rest of a scan's time is waste.
const COST_OF_FOUND: Duration = Duration::from_micros(50);
/// How long after a dear full scan the next is tried: at first, and at most, after ever more that were
/// broken off.
const TRIAL_AFTER: Duration = Duration::from_secs(1);
const TRIAL_AFTER_MOST: Duration = Duration::from_secs(30);
/// How long a new run may take from its id to its commit, before it is looked for behind the floor. A claim
/// walks over what was claimed in this time once more.
const COMMITS_TAKE: chrono::TimeDelta = chrono::TimeDelta::milliseconds(500);
/// By how much the clocks of those who make runs may be slow, before their runs are looked for
/// behind the floor.
const CLOCKS_DIFFER: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// How much of a queue is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    FromFloor,
    Full,
    /// In full, unless that takes too long: too much longer than what is usual.
    Trial(Duration),
}

impl Scan {
    /// How long it may take to find so many jobs.
    pub(super) fn at_most(self, wanted: usize) -> Option<Duration> {
        match self {
            Self::FromFloor | Self::Full => None,
            Self::Trial(usual) => Some(usual + DEAR * 2 + cost_of(wanted)),
        }
    }

    /// Whether it begins at the beginning.
    pub(super) fn is_full(self) -> bool {
        self != Self::FromFloor
    }
}

/// How a scan went.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scanned {
    /// Of the search alone.
    pub(super) took: Duration,
    pub(super) found: usize,
    pub(super) wanted: usize,
    /// The furthest place among the ready jobs that were found, if any.
    pub(super) ready: Option<(i16, Uuid)>,
    /// The furthest time among the timed jobs that were found, if any.
    pub(super) timed: Option<Time>,
    /// The database's clock.
    pub(super) at: Time,
}

impl Scanned {
    /// Counts a job that was found, and how far the scan came with it: jobs without a rank or a time tell nothing.
    pub(super) fn note(&mut self, run_id: Uuid, rank: Option<i16>, run_at: Option<Time>) {
        self.found += 1;
        match (run_at, rank) {
            (Some(run_at), _) => self.timed = self.timed.max(Some(run_at)),
            (None, Some(rank)) => self.ready = self.ready.max(Some((rank, run_id))),
            (None, None) => {}
        }
    }

    /// What was not spent on what was found.
    fn wasted(&self) -> Duration {
        self.took.saturating_sub(cost_of(self.found))
    }
}

fn cost_of(found: usize) -> Duration {
    COST_OF_FOUND.saturating_mul(u32::try_from(found).unwrap_or(u32::MAX))
}

/// The pace of one queue's scans.
#[derive(Debug)]
pub(super) struct Pace {
    floor: Mark,
    full_scan_at: Option<Instant>,
    rest_until: Option<Instant>,
    backed_up: bool,
    full_scan_due: bool,
    dear: Option<Dear>,
    /// What scans from the floor wasted lately: the database has other work as well.
    usual: Duration,
}

/// While full scans are dear.
#[derive(Debug)]
struct Dear {
    trial_at: Instant,
    trial_after: Duration,
    slice_at: Instant,
    walk: Walk,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self {
            floor: Mark::FIRST,
            full_scan_at: None,
            rest_until: None,
            backed_up: false,
            full_scan_due: true,
            dear: None,
            usual: Duration::ZERO,
        }
    }

    /// Something may have come in behind the floor.
    pub(super) const fn doubt(&mut self) {
        self.full_scan_due = true;
    }

    pub(super) const fn floor(&self) -> Mark {
        self.floor
    }

    /// Returns where the next scan starts, and what it is.
    pub(super) fn next(&self, now: Instant) -> (Mark, Scan) {
        if let Some(dear) = &self.dear {
            if now >= dear.trial_at {
                return (Mark::FIRST, Scan::Trial(self.usual));
            }
            return (self.floor, Scan::FromFloor);
        }
        let overdue = self
            .full_scan_at
            .is_none_or(|at| now.duration_since(at) >= FULL_SCAN_EVERY);
        let rested = self.rest_until.is_none_or(|at| now >= at);
        if overdue || (rested && !self.backed_up) {
            (Mark::FIRST, Scan::Full)
        } else {
            (self.floor, Scan::FromFloor)
        }
    }

    /// Takes note of a scan; `None`: it was a trial, was broken off, and found nothing.
    pub(super) fn note(&mut self, scan: Scan, scanned: Option<Scanned>, now: Instant) {
        let Some(scanned) = scanned else {
            return self.put_off(now);
        };
        if scan.is_full() {
            self.note_full(scanned.wasted(), now);
        } else {
            self.usual = (self.usual + scanned.wasted()) / 2;
        }
        let filled = scanned.found >= scanned.wanted;
        self.backed_up = filled;
        // A full scan that found everything leaves nothing behind the floor for now.
        self.full_scan_due = filled || !scan.is_full();
        if let Some((rank, run_id)) = scanned.ready {
            (self.floor.rank, self.floor.run_id) = (rank, run_id);
            // Runs are not committed in the order of their ids.
            self.floor.lower(scanned.at - COMMITS_TAKE);
        }
        if let Some(run_at) = scanned.timed {
            self.floor.run_at = run_at;
        }
        if !filled {
            // There is nothing up to here. Others take what comes, and leave their dead to be walked over.
            self.floor.raise(scanned.at - CLOCKS_DIFFER);
        }
    }

    /// A full scan came to its end.
    fn note_full(&mut self, wasted: Duration, now: Instant) {
        self.full_scan_at = Some(now);
        if wasted <= self.usual + DEAR {
            self.dear = None;
            self.rest_until = Some(now + wasted * REST_FACTOR);
        } else {
            // One that came to its end may have been slow for many reasons.
            self.try_after(TRIAL_AFTER, now);
        }
    }

    /// A trial was broken off: the next one comes later than that one did.
    fn put_off(&mut self, now: Instant) {
        let after = self
            .dear
            .as_ref()
            .map_or(TRIAL_AFTER, |d| d.trial_after * 2);
        self.try_after(after.min(TRIAL_AFTER_MOST), now);
    }

    /// Full scans are dear: the next one is a trial.
    fn try_after(&mut self, trial_after: Duration, now: Instant) {
        let walk = self.dear.take().map(|dear| dear.walk).unwrap_or_default();
        self.dear = Some(Dear {
            trial_at: now + trial_after,
            trial_after,
            slice_at: now,
            walk,
        });
    }

    /// Returns the walk through the table, when it is time for its next slice.
    pub(super) fn walk(&mut self, now: Instant) -> Option<&mut Walk> {
        let dear = self.dear.as_mut()?;
        (now >= dear.slice_at).then_some(&mut dear.walk)
    }

    /// Takes note of how long was looked at a slice in vain.
    pub(super) fn walked(&mut self, took: Duration, now: Instant) {
        if let Some(dear) = &mut self.dear {
            dear.slice_at = now + took * REST_FACTOR;
        }
    }

    /// Returns how long until somebody should look behind the floor; `None` when nothing can be there.
    pub(super) fn look_in(&self, now: Instant) -> Option<Duration> {
        if let Some(dear) = &self.dear {
            let at = dear.slice_at.min(dear.trial_at);
            return Some(at.saturating_duration_since(now));
        }
        self.full_scan_due.then(|| {
            let rest = self.rest_until.unwrap_or(now);
            rest.saturating_duration_since(now).min(FULL_SCAN_EVERY)
        })
    }
}

#[cfg(test)]
mod tests;
