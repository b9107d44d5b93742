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
    /// Each with whether its end is being committed.
    leaving_by_run: HashMap<Uuid, bool>,
    /// How many of them have their end committed just now.
    leaving: usize,
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.lock().leaving_by_run.len()
    }

    pub(crate) fn insert(&self, run_ids: impl Iterator<Item = Uuid>) {
        let mut held = self.lock();
        for run_id in run_ids {
            held.insert(run_id);
        }
    }

    /// Notes that the ends of these are being committed: nobody drives them any more. Returns how many of
    /// them are held.
    pub(crate) fn leave(&self, run_ids: impl Iterator<Item = Uuid>) -> usize {
        let mut held = self.lock();
        let held = &mut *held;
        run_ids.filter(|&run_id| held.mark(run_id)).count()
    }

    /// Returns how many take a slot, when up to `most` take none because their end is being committed.
    pub(crate) fn in_slots(&self, most: usize) -> usize {
        let held = self.lock();
        held.leaving_by_run.len() - held.leaving.min(most)
    }

    /// Returns how many of them were held.
    pub(crate) fn remove(&self, run_ids: impl Iterator<Item = Uuid>) -> usize {
        let mut held = self.lock();
        run_ids.filter(|run_id| held.remove(run_id)).count()
    }

    pub(crate) fn contains(&self, run_id: Uuid) -> bool {
        self.lock().leaving_by_run.contains_key(&run_id)
    }

    pub(super) fn all(&self) -> Vec<Uuid> {
        self.lock().leaving_by_run.keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Runs> {
        // Map and count are whole between any two calls.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn insert(&mut self, run_id: Uuid) {
        let left = self.leaving_by_run.insert(run_id, false);
        self.leaving -= usize::from(left == Some(true));
    }

    fn mark(&mut self, run_id: Uuid) -> bool {
        let leaves = self.leaving_by_run.get_mut(&run_id);
        let known = leaves.is_some();
        let left = leaves.is_none_or(|leaves| std::mem::replace(leaves, true));
        self.leaving += usize::from(!left);
        known
    }

    fn remove(&mut self, run_id: &Uuid) -> bool {
        let left = self.leaving_by_run.remove(run_id);
        self.leaving -= usize::from(left == Some(true));
        left.is_some()
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
        held.insert(runs.iter().copied().skip(2).take(1));
        assert_eq!(held.in_slots(10), 3, "it was claimed again");
        held.leave(std::iter::once(runs[0]));
        assert_eq!((held.len(), held.in_slots(10)), (3, 3), "it is not ours");
    }
}
