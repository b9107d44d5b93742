//! A stopping worker gave an attempt up: it does not count, and nothing new is started.

use super::Turn;
use crate::plan::Delivery;
use crate::state::planned;
use crate::{RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn given_back(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        if !self.find(key).is_some_and(|step| step.in_flight) {
            return;
        }
        if planned(turn.plan, key).delivery == Delivery::AtMostOnce {
            // Nobody knows how far the call came.
            return self.lose(turn, key);
        }
        self.land(key);
        let step = self.at_mut(key);
        step.set(StepStatus::Pending);
        step.attempt -= 1;
        step.shown = false;
        if step.attempt == 0 {
            step.input = None;
            step.started_at = None;
        }
        if step.stored {
            turn.touch(key);
        }
        self.make_ready(turn, key);
    }
}
