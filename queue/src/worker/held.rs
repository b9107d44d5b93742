//! What one worker has in its hands: the runs whose jobs it holds, and the attempts that it makes for
//! others. Whatever else is leased to it is in doubt ([`super::reconcile`]).
//!
//! A run that is held and that nobody drives would stay so for as long as the worker lives, so each run is
//! held together with the number of those who drive it ([`Driving`]).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::Life;
use crate::detached::Place;

/// The runs whose jobs this worker holds: claimed, and not yet let go.
#[derive(Debug, Default)]
pub(crate) struct Held(Mutex<Runs>);

#[derive(Debug, Default)]
struct Runs {
    by_id: HashMap<Uuid, Hold>,
    /// How many of them have their end committed just now.
    leaving: usize,
}

#[derive(Debug, Default)]
struct Hold {
    /// A run that is let go of and due at once may be claimed again before we hear that we let go of it.
    claims: u32,
    /// Whether its end is being committed.
    leaves: bool,
    /// Workers that died while they held it, and it has made no progress since.
    deaths: u16,
    /// Those who drive it now: one, or for a moment none or two.
    drivers: u32,
    /// Since when nobody drives it any more. `None`: somebody does, or has yet to begin.
    undriven_since: Option<Instant>,
}

/// Held for as long as somebody drives a run.
#[derive(Debug)]
pub struct Driving {
    life: Arc<Life>,
    run_id: Uuid,
}

impl Driving {
    pub(crate) fn new(life: Arc<Life>, run_id: Uuid) -> Self {
        life.held.driven(run_id);
        Self { life, run_id }
    }
}

impl Drop for Driving {
    fn drop(&mut self) {
        self.life.held.undriven(self.run_id, Instant::now());
    }
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    /// Takes runs into hand, each with the number of workers that died with it.
    pub(crate) fn insert(&self, runs: impl Iterator<Item = (Uuid, u16)>) {
        let mut held = self.lock();
        for (run_id, deaths) in runs {
            let hold = held.by_id.entry(run_id).or_default();
            hold.claims += 1;
            hold.deaths = deaths;
            hold.undriven_since = None;
        }
    }

    /// Returns how many are suspects: of which one worker died, and of which more did.
    pub(crate) fn suspects(&self) -> (usize, usize) {
        count_suspects(self.lock().by_id.values().map(|hold| hold.deaths))
    }

    /// These have made progress.
    pub(super) fn clear(&self, run_ids: impl Iterator<Item = Uuid>) {
        let mut held = self.lock();
        for run_id in run_ids {
            if let Some(hold) = held.by_id.get_mut(&run_id) {
                hold.deaths = 0;
            }
        }
    }

    /// Returns the runs that nobody has driven for so long, and forgets them.
    pub(super) fn take_orphans(&self, now: Instant, after: Duration) -> Vec<Uuid> {
        let mut held = self.lock();
        let undriven = |hold: &Hold| {
            let since = hold.undriven_since.filter(|_| hold.drivers == 0);
            since.is_some_and(|since| now.duration_since(since) >= after)
        };
        let orphans = held.by_id.iter().filter(|(_, hold)| undriven(hold));
        let orphans: Vec<_> = orphans.map(|(run_id, _)| *run_id).collect();
        for run_id in &orphans {
            while held.let_go(run_id) {}
        }
        orphans
    }

    fn driven(&self, run_id: Uuid) {
        if let Some(hold) = self.lock().by_id.get_mut(&run_id) {
            hold.drivers += 1;
            hold.undriven_since = None;
        }
    }

    fn undriven(&self, run_id: Uuid, now: Instant) {
        if let Some(hold) = self.lock().by_id.get_mut(&run_id) {
            // It was let go of meanwhile, and claimed again: then somebody has yet to begin.
            if hold.drivers > 0 {
                hold.drivers -= 1;
                hold.undriven_since = (hold.drivers == 0).then_some(now);
            }
        }
    }

    /// Notes that the ends of these are being committed: nobody drives them any more. Returns how many of
    /// them are held.
    pub(crate) fn leave(&self, run_ids: impl Iterator<Item = Uuid>) -> usize {
        let mut held = self.lock();
        let held = &mut *held;
        run_ids.filter(|run_id| held.mark(run_id)).count()
    }

    /// Returns how many take a slot, when up to `most` take none because their end is being committed.
    pub(crate) fn in_slots(&self, most: usize) -> usize {
        let held = self.lock();
        held.by_id.len() - held.leaving.min(most)
    }

    /// Lets go of these, each as often as it is named. Returns how many of them were held.
    pub(crate) fn remove(&self, run_ids: impl Iterator<Item = Uuid>) -> usize {
        let mut held = self.lock();
        let held = &mut *held;
        run_ids.filter(|run_id| held.let_go(run_id)).count()
    }

    pub(crate) fn contains(&self, run_id: Uuid) -> bool {
        self.lock().by_id.contains_key(&run_id)
    }

    pub(super) fn all(&self) -> Vec<Uuid> {
        self.lock().by_id.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        // Map and count are whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn mark(&mut self, run_id: &Uuid) -> bool {
        let Some(hold) = self.by_id.get_mut(run_id) else {
            return false;
        };
        let left = std::mem::replace(&mut hold.leaves, true);
        self.leaving += usize::from(!left);
        true
    }

    fn let_go(&mut self, run_id: &Uuid) -> bool {
        let Some(hold) = self.by_id.get_mut(run_id) else {
            return false;
        };
        let left = std::mem::take(&mut hold.leaves);
        self.leaving -= usize::from(left);
        hold.claims -= 1;
        if hold.claims == 0 {
            self.by_id.remove(run_id);
        }
        true
    }
}

fn count_suspects(deaths: impl Iterator<Item = u16>) -> (usize, usize) {
    deaths.fold((0, 0), |(once, often), deaths| match deaths {
        0 => (once, often),
        1 => (once + 1, often),
        _ => (once, often + 1),
    })
}

/// The attempts that this worker makes for the drivers of others.
#[derive(Debug, Default)]
pub(crate) struct Makes(Mutex<HashMap<Place, u16>>);

impl Makes {
    /// Takes attempts into hand, each with the number of workers that died with it.
    pub(crate) fn insert(&self, places: impl Iterator<Item = (Place, u16)>) {
        self.lock().extend(places);
    }

    /// As [`Held::suspects`].
    pub(crate) fn suspects(&self) -> (usize, usize) {
        count_suspects(self.lock().values().copied())
    }

    pub(crate) fn remove(&self, places: impl Iterator<Item = Place>) {
        let mut makes = self.lock();
        for place in places {
            makes.remove(&place);
        }
    }

    pub(super) fn all(&self) -> Vec<Place> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, u16>> {
        // A map is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_end_is_being_committed_takes_no_slot() {
        let held = Held::default();
        let runs: Vec<Uuid> = (0..5).map(|_| crate::clock::id()).collect();
        held.insert(runs.iter().map(|run| (*run, 0)));
        assert_eq!(held.in_slots(10), 5);
        held.leave(runs.iter().copied().take(3));
        held.leave(runs.iter().copied().take(1));
        assert_eq!(held.in_slots(10), 2);
        assert_eq!(held.in_slots(1), 4, "no more than are allowed for");
        assert_eq!(held.len(), 5, "it is held until that is known");
        assert_eq!(held.remove(runs.iter().copied().take(2)), 2);
        assert_eq!((held.len(), held.in_slots(10)), (3, 2));
        held.leave(std::iter::once(runs[0]));
        assert_eq!((held.len(), held.in_slots(10)), (3, 2), "it is not ours");
    }

    #[test]
    fn a_run_that_was_claimed_again_is_held_until_it_is_let_go_of_again() {
        let held = Held::default();
        let run = || std::iter::once(Uuid::max());
        held.insert(run().map(|run| (run, 0)));
        held.leave(run());
        held.insert(run().map(|run| (run, 0)));
        assert_eq!(held.remove(run()), 1);
        assert_eq!((held.contains(Uuid::max()), held.in_slots(10)), (true, 1));
        assert_eq!(held.remove(run()), 1);
        assert_eq!((held.contains(Uuid::max()), held.len()), (false, 0));
        assert_eq!(held.remove(run()), 0);
    }

    #[test]
    fn a_run_that_is_held_and_not_driven_is_an_orphan_after_a_while() {
        let held = Held::default();
        let run = Uuid::max();
        let begun = Instant::now();
        let later = |seconds| begun + Duration::from_secs(seconds);
        let orphans = |seconds| held.take_orphans(later(seconds), Duration::from_secs(10));
        held.insert(std::iter::once((run, 0)));
        assert!(orphans(100).is_empty(), "its driver has yet to begin");
        held.driven(run);
        assert!(orphans(100).is_empty());
        held.undriven(run, later(100));
        assert!(orphans(109).is_empty());
        held.insert(std::iter::once((run, 0)));
        assert!(orphans(200).is_empty(), "it was claimed again");
        held.driven(run);
        held.undriven(run, later(200));
        assert_eq!(orphans(210), [run]);
        assert_eq!(held.len(), 0);
    }

    #[test]
    fn a_run_is_a_suspect_until_it_makes_progress_or_is_let_go_of() {
        let held = Held::default();
        let runs: Vec<Uuid> = (0..4).map(|_| crate::clock::id()).collect();
        held.insert(runs.iter().copied().zip([0, 1, 1, 2]));
        assert_eq!(held.suspects(), (2, 1));
        held.clear(runs.iter().copied().take(2));
        assert_eq!(held.suspects(), (1, 1));
        held.remove(runs.iter().copied().skip(3));
        assert_eq!(held.suspects(), (1, 0));
    }
}
