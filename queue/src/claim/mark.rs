//! A mark in the order in which the jobs of a queue are claimed.

use stepwell_workflow::Time;
use uuid::Uuid;

use crate::run::bounds::smallest_id;

/// A place in both orders: that of ready jobs by rank and id, and that of timed jobs by their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) rank: i16,
    pub(super) run_id: Uuid,
    pub(super) run_at: Time,
}

impl Mark {
    /// Before everything.
    pub(super) const FIRST: Self = Self {
        rank: i16::MIN,
        run_id: Uuid::nil(),
        run_at: Time::UNIX_EPOCH,
    };

    /// Moves on to what is made from `at` on with the ordinary rank, and is due from `at` on; never back.
    pub(super) fn raise(&mut self, at: Time) {
        let run_id = smallest_id(at);
        if (self.rank, self.run_id) < (0, run_id) {
            (self.rank, self.run_id) = (0, run_id);
        }
        self.run_at = self.run_at.max(at);
    }

    /// Moves back, within the rank, to what is made from `at` on.
    pub(super) fn lower(&mut self, at: Time) {
        self.run_id = self.run_id.min(smallest_id(at));
    }
}
