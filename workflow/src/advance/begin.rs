//! A driver took the run: it starts what is ready, and again what a dead driver left running.

use serde_json::json;

use super::Turn;
use crate::limits::DEATHS_MAX;
use crate::plan::Delivery;
use crate::state::planned;
use crate::{Failure, RunState, RunStatus, StepKey, StepStatus};

impl RunState {
    pub(super) fn begin(&mut self, turn: &mut Turn<'_>, deaths: u16) {
        if self.begun {
            return;
        }
        self.begun = true;
        if self.header.started_at.is_none() {
            self.header.started_at = Some(turn.now);
            let before = self.status.as_str();
            self.set(if self.header.paused {
                RunStatus::Paused
            } else {
                RunStatus::Running
            });
            if self.header.paused {
                // It was paused before its first step: it rests from now on.
                self.rested_at = turn.now;
            }
            let after = self.status.as_str();
            let detail = json!({ "generation": self.header.generation });
            self.record_run(turn, "run.started", before, after, Some(detail));
        }
        if deaths >= DEATHS_MAX {
            let message = format!(
                "{deaths} workers died while they held this run; retry it once the cause is mended"
            );
            let failure = Failure::fatal("poisoned", message);
            if self.is_undoing() {
                self.give_undo_up(turn, failure);
            } else {
                self.fail_run(turn, failure);
            }
            return;
        }
        self.lose_what_may_not_run_twice(turn);
        self.tick(turn);
        self.go_on(turn);
    }

    /// Fails the attempts that a dead worker may have made and that may be made only once.
    fn lose_what_may_not_run_twice(&mut self, turn: &mut Turn<'_>) {
        let calls = self.tally.ready_calls.iter();
        let mut left: Vec<StepKey> = calls.map(|&n| StepKey::step(n)).collect();
        for (&n, lanes) in &self.tally.maps {
            left.extend(lanes.again.iter().map(|&i| StepKey::item(n, i)));
        }
        for key in left {
            // A failure before this one may have ended the run or the map.
            if self.at(key).status == StepStatus::Running
                && planned(turn.plan, key).delivery == Delivery::AtMostOnce
            {
                self.lose(turn, key);
            }
        }
    }

    /// Fails an attempt of which nobody knows whether it was made.
    pub(super) fn lose(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        self.tally.not_ready(key);
        let message = "its worker stopped during the attempt, and it may be made at most once";
        self.fail(
            turn,
            key,
            StepStatus::Failed,
            Failure::fatal("lost", message),
        );
    }
}
