//! `wait`: a step that a signal completes.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Turn;
use crate::plan::{Approval, Kind, OnTimeout};
use crate::state::{delta, later, planned};
use crate::{Failure, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn start_wait(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        timeout: Option<Duration>,
        approval: Option<&Approval>,
    ) {
        if let Some(approval) = approval
            && let Err(message) = self.ask(turn, key, approval)
        {
            return self.fail_expression(turn, key, message);
        }
        if let Some(early) = self.at_mut(key).output.take() {
            let payload = Arc::unwrap_or_clone(early);
            return self.complete(turn, key, payload);
        }
        let until = timeout.map(|timeout| later(turn.now, delta(timeout)));
        self.rest(turn, key, until, Some(json!({ "until": until })));
    }

    /// Shows what a person is asked, as the input of the step.
    fn ask(&mut self, turn: &Turn<'_>, key: StepKey, approval: &Approval) -> Result<(), String> {
        let prompt = approval.prompt.as_ref();
        let prompt = prompt.map(|prompt| self.render(turn, key, prompt));
        let asked = approval.asked(prompt.transpose()?.as_ref());
        self.at_mut(key).input = Some(Arc::new(asked));
        Ok(())
    }

    /// Nobody signalled in time.
    pub(super) fn wait_timed_out(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let Kind::Wait {
            signal, on_timeout, ..
        } = &planned(turn.plan, key).kind
        else {
            return;
        };
        match on_timeout {
            OnTimeout::Continue => self.complete(turn, key, Value::Null),
            OnTimeout::Fail => {
                let message = format!("no signal `{signal}` came in time");
                let failure = Failure::retryable("timeout", message);
                self.fail(turn, key, StepStatus::TimedOut, failure);
            }
        }
    }

    /// Puts a step to rest for its own reason, until a time or until somebody acts.
    pub(super) fn rest(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        until: Option<crate::Time>,
        detail: Option<Value>,
    ) {
        let step = self.at_mut(key);
        let before = step.status;
        step.set(StepStatus::Waiting);
        step.started_at.get_or_insert(turn.now);
        self.take_lane(key);
        self.sleep(key, until);
        turn.touch(key);
        self.record_step(turn, key, "step.waiting", before, detail);
    }
}
