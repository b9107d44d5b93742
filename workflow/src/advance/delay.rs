//! `delay`: a step that lasts for a while, or until a time.

use serde_json::json;

use super::Turn;
use crate::plan::Delay;
use crate::{RunState, StepKey};

impl RunState {
    pub(super) fn start_delay(&mut self, turn: &mut Turn<'_>, key: StepKey, delay: &Delay) {
        match self.in_scope(turn, key, |scope| delay.due(scope, turn.now)) {
            Ok(at) if at <= turn.now => self.complete(turn, key, json!({ "waited_ms": 0 })),
            Ok(at) => self.rest(turn, key, Some(at), Some(json!({ "until": at }))),
            Err(message) => self.fail_expression(turn, key, message),
        }
    }

    pub(super) fn delay_over(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let began = self.at(key).started_at.unwrap_or(turn.now);
        let waited = (turn.now - began).num_milliseconds();
        self.complete(turn, key, json!({ "waited_ms": waited }));
    }
}
