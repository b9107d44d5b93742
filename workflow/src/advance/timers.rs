//! Time has passed: what slept long enough goes on, and a run that took too long ends.

use serde_json::json;

use super::Turn;
use crate::plan::Kind;
use crate::state::planned;
use crate::{Failure, RunState, RunStatus, StepKey, Time};

impl RunState {
    /// Fires every timer that is due. While the run is paused only its own timeout counts.
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) {
        if self.status.is_terminal() {
            return;
        }
        if self.deadline().is_some_and(|at| at <= turn.now) {
            let timeout = self.timeout.unwrap_or_default().num_milliseconds();
            let message = format!("the run did not end within {timeout} ms");
            let failure = Failure::retryable("run_timeout", message);
            let detail = json!({ "error": &failure });
            self.end_early(turn, RunStatus::TimedOut, Some(failure), Some(detail));
            return;
        }
        while self.begun && !self.header.paused && !turn.is_spent() {
            let Some(&(at, key)) = self.tally.timers.first() else {
                return;
            };
            if at > turn.now {
                return;
            }
            self.tally.timers.pop_first();
            self.woke(turn, key);
        }
    }

    fn woke(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        match &planned(turn.plan, key).kind {
            Kind::Delay(_) => {
                turn.spend();
                self.delay_over(turn, key);
            }
            Kind::Wait { .. } => {
                turn.spend();
                self.wait_timed_out(turn, key);
            }
            Kind::Map(_) => {
                turn.spend();
                self.map_timed_out(turn, key);
            }
            Kind::Workflow { .. } => self.child_step_woke(turn, key),
            _ if self.at(key).detached => {
                turn.spend();
                self.detached_timed_out(turn, key);
            }
            _ => self.make_ready(turn, key),
        }
    }

    /// Sets a step's alarm, in place of the one it had.
    pub(super) fn sleep(&mut self, key: StepKey, until: Option<Time>) {
        self.wake(key);
        self.at_mut(key).wake_at = until;
        if let Some(at) = until {
            self.tally.timers.insert((at, key));
        }
    }
}
