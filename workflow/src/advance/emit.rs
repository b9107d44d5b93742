//! `emit`: an event of the user's own. It is told by the record of it, which is written in the same
//! commit as the step.

use serde_json::{Value, json};

use super::Turn;
use crate::expression::Template;
use crate::payload;
use crate::{RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn emit(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        event: &str,
        data: Option<&Template>,
    ) {
        let data = match data.map(|data| self.render(turn, key, data)).transpose() {
            Ok(data) => data.unwrap_or(Value::Null),
            Err(message) => return self.fail_expression(turn, key, message),
        };
        if payload::bytes(&data).is_none() {
            let failure = payload::input_too_large(
                "the data of this event has",
                "tell less, or keep the data elsewhere and tell where it is",
            );
            return self.fail(turn, key, StepStatus::Failed, failure);
        }
        let id = self.child_id(key, turn.now);
        let detail = json!({ "event_id": id, "type": event, "data": data });
        let status = self.at(key).status;
        self.record_step(turn, key, "event.emitted", status, Some(detail));
        self.complete(turn, key, json!(id));
    }
}
