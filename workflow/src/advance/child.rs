//! `workflow`: a step that is a run of its own.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Turn;
use crate::expression::Template;
use crate::state::planned;
use crate::{Effect, Failure, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn start_child(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        (workflow, version, input, wait): (&Template, Option<i32>, &Template, bool),
    ) {
        let workflow = self.render_text(turn, key, workflow, "`workflow`");
        let input = match &self.at(key).input {
            Some(input) => Ok(Arc::clone(input)),
            None => self.render(turn, key, input).map(Arc::new),
        };
        let (workflow, input) = match (workflow, input) {
            (Ok(workflow), Ok(input)) => (workflow, input),
            (Err(message), _) | (_, Err(message)) => {
                return self.fail_expression(turn, key, message);
            }
        };
        self.at_mut(key).attempt += 1;
        let run_id = self.child_id(key, turn.now);
        let step = self.at_mut(key);
        step.input = Some(Arc::clone(&input));
        step.child_run_id = Some(run_id);
        step.wake_at = None;
        turn.must_commit();
        turn.effect(Effect::StartChild {
            key,
            run_id,
            workflow,
            version,
            input,
            wait,
        });
        if wait {
            self.rest(turn, key, None, Some(json!({ "child_run_id": run_id })));
        } else {
            self.complete(turn, key, json!({ "run_id": run_id }));
        }
    }

    pub(super) fn child_ended(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        child_run_id: Uuid,
        result: Result<Value, Failure>,
    ) {
        let awaits_it = |step: &crate::state::StepState| {
            step.status == StepStatus::Waiting && step.child_run_id == Some(child_run_id)
        };
        if !self.find(key).is_some_and(awaits_it) {
            return;
        }
        match result {
            Ok(output) => self.complete(turn, key, output),
            Err(failure) => self.child_failed(turn, key, child_run_id, failure),
        }
    }

    fn child_failed(&mut self, turn: &mut Turn<'_>, key: StepKey, child: Uuid, cause: Failure) {
        let failure = if cause.kind == "unknown_workflow" {
            // It was never started.
            cause
        } else {
            let at = cause.step.map(|step| format!(" at its step `{step}`"));
            let message = format!(
                "the child run {child} ended{}: {}: {}",
                at.unwrap_or_default(),
                cause.kind,
                cause.message
            );
            Failure::retryable("child_failed", message)
        };
        // Without a policy of its own there is one attempt: the child has its own retries.
        match &planned(turn.plan, key).retry {
            Some(policy)
                if self.at(key).attempt < policy.max_attempts && policy.covers(&failure, None) =>
            {
                self.at_mut(key).child_run_id = None;
                self.back_off(turn, key, policy, None, failure);
            }
            _ => self.fail(turn, key, StepStatus::Failed, failure),
        }
    }
}
