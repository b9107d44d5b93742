//! Where the claim starts to read (D7).
//!
//! A long transaction elsewhere keeps the dead rows of claimed jobs in the index, and a scan from
//! the beginning walks over all of them. So the claim remembers how far it came, per queue, and
//! goes on from there. Jobs that come in behind that place (priorities, jobs given back, clocks
//! that differ) are found by full scans: at least one a second, at once when the queue is not
//! backed up, but never for more than about a tenth of the time.

use std::time::{Duration, Instant};

use stepwell_workflow::Time;
use uuid::Uuid;

/// A full scan comes at the latest after this time.
const FULL_SCAN_EVERY: Duration = Duration::from_secs(1);
/// A full scan that took this long is followed by nine times as long without one.
const REST_FACTOR: u32 = 9;
/// Before everything.
const LOWEST_RANK: i16 = i16::MIN;

/// What a scan passes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floor {
    pub(crate) rank: i16,
    pub(crate) run_id: Uuid,
    pub(crate) run_at: Time,
}

impl Floor {
    pub(crate) const NONE: Self = Self {
        rank: LOWEST_RANK,
        run_id: Uuid::nil(),
        run_at: Time::UNIX_EPOCH,
    };
}

/// How a scan went.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned {
    pub(crate) took: Duration,
    pub(crate) found: usize,
    pub(crate) wanted: usize,
    /// The furthest place among the ready jobs that were found, if any.
    pub(crate) ready: Option<(i16, Uuid)>,
    /// The furthest time among the timed jobs that were found, if any.
    pub(crate) timed: Option<Time>,
}

/// The pace of one queue's scans.
#[derive(Debug)]
pub(crate) struct Pace {
    floor: Floor,
    full_scan_at: Option<Instant>,
    rest_until: Option<Instant>,
    backed_up: bool,
    full_scan_due: bool,
}

impl Pace {
    pub(crate) const fn new() -> Self {
        Self {
            floor: Floor::NONE,
            full_scan_at: None,
            rest_until: None,
            backed_up: false,
            full_scan_due: true,
        }
    }

    /// Something may have come in behind the floor.
    pub(crate) const fn doubt(&mut self) {
        self.full_scan_due = true;
    }

    /// Returns the floor of the next scan and whether it is a full one.
    pub(crate) fn next(&self, now: Instant) -> (Floor, bool) {
        let overdue = self
            .full_scan_at
            .is_none_or(|at| now.duration_since(at) >= FULL_SCAN_EVERY);
        let rested = self.rest_until.is_none_or(|at| now >= at);
        if overdue || (rested && !self.backed_up) {
            (Floor::NONE, true)
        } else {
            (self.floor, false)
        }
    }

    /// Takes note of a scan.
    pub(crate) fn note(&mut self, full: bool, scanned: Scanned, now: Instant) {
        let filled = scanned.found >= scanned.wanted;
        self.backed_up = filled;
        if full {
            self.full_scan_at = Some(now);
            // What a scan found had to be read anyway; only the rest is a price.
            let wasted = scanned.wanted.saturating_sub(scanned.found);
            let share = wasted as f64 / scanned.wanted.max(1) as f64;
            self.rest_until = Some(now + scanned.took.mul_f64(share) * REST_FACTOR);
        }
        // A full scan that found everything leaves nothing behind the floor for now.
        self.full_scan_due = filled || !full;
        if let Some((rank, run_id)) = scanned.ready {
            (self.floor.rank, self.floor.run_id) = (rank, run_id);
        }
        if let Some(run_at) = scanned.timed {
            self.floor.run_at = run_at;
        }
    }

    /// Returns how long until a full scan is both due and allowed; `None` when none is due.
    pub(crate) fn full_scan_in(&self, now: Instant) -> Option<Duration> {
        self.full_scan_due.then(|| {
            let rest = self.rest_until.unwrap_or(now);
            rest.saturating_duration_since(now).min(FULL_SCAN_EVERY)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(found: usize, took: Duration) -> Scanned {
        Scanned {
            took,
            found,
            wanted: 10,
            ready: (found > 0).then(|| (0, Uuid::from_u128(found as u128))),
            timed: None,
        }
    }

    #[test]
    fn a_backed_up_queue_is_read_from_the_floor_but_once_a_second_in_full() {
        let start = Instant::now();
        let mut pace = Pace::new();
        assert_eq!(pace.next(start), (Floor::NONE, true));
        pace.note(true, scanned(10, Duration::from_millis(20)), start);
        let (floor, full) = pace.next(start);
        assert!(!full);
        assert_eq!(floor.run_id, Uuid::from_u128(10));
        assert!(pace.next(start + FULL_SCAN_EVERY).1);
    }

    #[test]
    fn an_idle_queue_is_read_in_full_as_often_as_that_is_cheap() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let took = Duration::from_millis(10);
        pace.note(true, scanned(0, took), start);
        assert_eq!(pace.full_scan_in(start), None);
        pace.note(false, scanned(1, took), start);
        assert!(!pace.next(start).1, "the last full scan was dear");
        assert_eq!(pace.full_scan_in(start), Some(took * REST_FACTOR));
        assert!(pace.next(start + took * REST_FACTOR).1);
    }

    #[test]
    fn what_comes_in_behind_the_floor_is_looked_for() {
        let start = Instant::now();
        let mut pace = Pace::new();
        let took = Duration::from_millis(10);
        pace.note(true, scanned(0, took), start);
        assert_eq!(
            pace.full_scan_in(start),
            None,
            "there was nothing behind it"
        );
        pace.doubt();
        assert_eq!(pace.full_scan_in(start), Some(took * REST_FACTOR));
        assert!(!pace.next(start).1, "the last one was dear");
        assert!(pace.next(start + took * REST_FACTOR).1);
    }

    #[test]
    fn work_that_comes_to_an_idle_queue_is_found_by_one_scan() {
        let start = Instant::now();
        let mut pace = Pace::new();
        pace.note(true, scanned(1, Duration::from_micros(500)), start);
        let later = start + Duration::from_millis(20);
        assert!(pace.next(later).1, "behind the floor as well");
        pace.note(true, scanned(1, Duration::from_micros(500)), later);
        assert_eq!(pace.full_scan_in(later), None, "and that was all");
    }
}
