//! `delay`: a step that lasts for a while, or until a time; not longer than its timeout.

use serde_json::json;

use super::Turn;
use crate::plan::{Delay, Kind};
use crate::state::{delta, later, planned};
use crate::{Failure, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn start_delay(&mut self, turn: &mut Turn<'_>, key: StepKey, delay: &Delay) {
        match self.in_scope(turn, key, |scope| delay.due(scope, turn.now)) {
            Ok(at) if at <= turn.now => self.complete(turn, key, json!({ "waited_ms": 0 })),
            Ok(at) => {
                let timeout = planned(turn.plan, key).timeout;
                let last = timeout.map(|timeout| later(turn.now, delta(timeout)));
                let until = last.map_or(at, |last| at.min(last));
                self.rest(turn, key, Some(until), Some(json!({ "until": until })));
            }
            Err(message) => self.fail_expression(turn, key, message),
        }
    }

    pub(super) fn delay_over(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let began = self.at(key).started_at.unwrap_or(turn.now);
        let waited = (turn.now - began).num_milliseconds();
        turn.next_step();
        let due = match &planned(turn.plan, key).kind {
            Kind::Delay(delay) => self.in_scope(turn, key, |scope| delay.due(scope, began)),
            _ => Ok(began),
        };
        match due {
            Err(_) if turn.is_cut_short() => {
                self.sleep(key, Some(turn.now));
                turn.leave_step();
            }
            Ok(due) if due > turn.now => {
                let message = format!("the delay was not over after {waited} ms");
                let failure = Failure::retryable("timeout", message);
                self.fail(turn, key, StepStatus::TimedOut, failure);
            }
            _ => self.complete(turn, key, json!({ "waited_ms": waited })),
        }
    }
}
