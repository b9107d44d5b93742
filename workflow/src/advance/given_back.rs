//! A stopping worker gave an attempt up: it does not count, and nothing new is started.

use serde_json::json;

use super::Turn;
use crate::plan::Delivery;
use crate::state::planned;
use crate::{RunState, StepKey, StepStatus};

/// Why an attempt was given back; the record's actor says by which worker.
const REASON: &str = "the worker stopped before the attempt ended";

impl RunState {
    pub(super) fn given_back(&mut self, turn: &mut Turn<'_>, key: StepKey, begun: bool) {
        if !self.find(key).is_some_and(|step| step.in_flight) {
            return;
        }
        if begun && planned(turn.plan, key).delivery == Delivery::AtMostOnce {
            // Nobody knows how far the call came.
            return self.lose(turn, key);
        }
        self.land(key);
        let step = self.at_mut(key);
        let detail = json!({ "attempt": step.attempt, "reason": REASON });
        step.set(StepStatus::Pending);
        step.attempt -= 1;
        step.shown = false;
        if step.attempt == 0 {
            step.input = None;
            step.started_at = None;
        }
        let stored = step.stored;
        if stored {
            turn.touch(key);
        }
        // What was neither made nor stored never was.
        if begun || stored {
            self.record_step(
                turn,
                key,
                "step.given_back",
                StepStatus::Running,
                Some(detail),
            );
        }
        self.make_ready(turn, key);
    }
}
