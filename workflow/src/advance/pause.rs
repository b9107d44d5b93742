//! Pause and resume: while paused, what is in flight ends and is recorded, and nothing new starts.

use super::Turn;
use crate::{RunState, RunStatus};

impl RunState {
    pub(super) fn pause(&mut self, turn: &mut Turn<'_>) {
        if self.header.paused {
            return;
        }
        self.header.paused = true;
        turn.must_commit();
        let before = self.status.as_str();
        self.set(RunStatus::Paused);
        self.record_run(turn, "run.paused", before, self.status.as_str(), None);
    }

    pub(super) fn resume(&mut self, turn: &mut Turn<'_>) {
        if !self.header.paused {
            return;
        }
        self.header.paused = false;
        turn.must_commit();
        let before = self.status.as_str();
        self.set(self.resting());
        self.record_run(turn, "run.resumed", before, self.status.as_str(), None);
    }
}
