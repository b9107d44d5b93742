//! What one worker has in its hands: the runs whose jobs it holds, and the attempts that it makes for
//! others. Whatever else is leased to it is in doubt ([`super::reconcile`]).

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use uuid::Uuid;

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
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.lock().by_id.len()
    }

    pub(crate) fn insert(&self, run_ids: impl Iterator<Item = Uuid>) {
        let mut held = self.lock();
        for run_id in run_ids {
            held.by_id.entry(run_id).or_default().claims += 1;
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

/// The attempts that this worker makes for the drivers of others.
#[derive(Debug, Default)]
pub(crate) struct Makes(Mutex<HashSet<Place>>);

impl Makes {
    pub(crate) fn insert(&self, places: impl Iterator<Item = Place>) {
        self.lock().extend(places);
    }

    pub(crate) fn remove(&self, places: impl Iterator<Item = Place>) {
        let mut makes = self.lock();
        for place in places {
            makes.remove(&place);
        }
    }

    pub(super) fn all(&self) -> Vec<Place> {
        self.lock().iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Place>> {
        // A set is whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_whose_end_is_being_committed_takes_no_slot() {
        let held = Held::default();
        let runs: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
        held.insert(runs.iter().copied());
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
        held.insert(run());
        held.leave(run());
        held.insert(run());
        assert_eq!(held.remove(run()), 1);
        assert_eq!((held.contains(Uuid::max()), held.in_slots(10)), (true, 1));
        assert_eq!(held.remove(run()), 1);
        assert_eq!((held.contains(Uuid::max()), held.len()), (false, 0));
        assert_eq!(held.remove(run()), 0);
    }
}
