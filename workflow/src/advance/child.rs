//! `workflow`: a step that is a run of its own.
//!
//! Whether the child can be started only the database knows, so the step asks for it first and is
//! `running` until the answer comes. The answer comes before the next commit: nobody reads a step
//! that still asks.

use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use super::Turn;
use crate::expression::Template;
use crate::payload;
use crate::plan::Kind;
use crate::state::{delta, later, planned};
use crate::{Effect, Failure, RunState, StepKey, StepStatus, WantedChild};

/// Why a step failed whose child did.
const CHILD_FAILED: &str = "child_failed";

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
        if self.at(key).input.is_none() && payload::bytes(&input).is_none() {
            return self.fail_input(turn, key);
        }
        self.at_mut(key).attempt += 1;
        let run_id = self.child_id(key, turn.now);
        let step = self.at_mut(key);
        step.set(StepStatus::Running);
        step.started_at.get_or_insert(turn.now);
        step.input = Some(Arc::clone(&input));
        step.child_run_id = Some(run_id);
        step.wake_at = None;
        self.take_lane(key);
        turn.must_commit();
        turn.effect(Effect::StartChild(WantedChild {
            key,
            run_id,
            workflow,
            version,
            input,
            wait,
        }));
    }

    pub(super) fn child_started(&mut self, turn: &mut Turn<'_>, key: StepKey, child: Uuid) {
        if !self.has_child(key, StepStatus::Running, child) {
            return;
        }
        turn.must_commit();
        let waits = matches!(
            planned(turn.plan, key).kind,
            Kind::Workflow { wait: true, .. }
        );
        if waits {
            let timeout = planned(turn.plan, key).timeout;
            let until = timeout.map(|timeout| later(turn.now, delta(timeout)));
            let detail = json!({ "child_run_id": child, "until": until });
            self.rest(turn, key, until, Some(detail));
        } else {
            self.complete(turn, key, json!({ "run_id": child }));
        }
    }

    pub(super) fn child_refused(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        child: Uuid,
        failure: Failure,
    ) {
        if self.has_child(key, StepStatus::Running, child) {
            self.at_mut(key).child_run_id = None;
            self.child_failed(turn, key, StepStatus::Failed, failure);
        }
    }

    pub(super) fn child_ended(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        child: Uuid,
        result: Result<Value, Failure>,
    ) {
        if !self.has_child(key, StepStatus::Waiting, child) {
            return;
        }
        match result {
            Ok(output) => self.complete(turn, key, output),
            Err(cause) => self.child_failed(turn, key, StepStatus::Failed, told(child, cause)),
        }
    }

    /// What a step waited for is over: its backoff, or its patience with its child.
    pub(super) fn child_step_woke(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let Some(child) = self.at_mut(key).child_run_id else {
            return self.make_ready(turn, key);
        };
        turn.spend();
        turn.cancel_child(child, "the step that waits for it timed out");
        let ms = planned(turn.plan, key)
            .timeout
            .unwrap_or_default()
            .as_millis();
        let message = format!("the child run {child} did not end within {ms} ms");
        let failure = Failure::retryable("timeout", message);
        self.child_failed(turn, key, StepStatus::TimedOut, failure);
    }

    fn has_child(&self, key: StepKey, status: StepStatus, child: Uuid) -> bool {
        self.find(key)
            .is_some_and(|step| step.status == status && step.child_run_id == Some(child))
    }

    /// Tries the step again with a new child, where its policy says so.
    fn child_failed(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        status: StepStatus,
        failure: Failure,
    ) {
        // Without a policy of its own there is one attempt: the child has its own retries.
        match &planned(turn.plan, key).retry {
            Some(policy)
                if self.at(key).attempt < policy.max_attempts && policy.covers(&failure, None) =>
            {
                self.at_mut(key).child_run_id = None;
                self.back_off(turn, key, policy, None, failure);
            }
            _ => self.fail(turn, key, status, failure),
        }
    }
}

/// Returns the failure of a step whose child failed for this cause.
fn told(child: Uuid, cause: Failure) -> Failure {
    let Failure { kind, message, .. } = cause;
    let message = match cause.step {
        Some(step) => {
            format!("the child run {child} ended at its step `{step}`: {kind}: {message}")
        }
        // What the parent of a cancelled child is told.
        None if kind == CHILD_FAILED => format!("{message} ({child})"),
        None => format!("the child run {child} ended: {kind}: {message}"),
    };
    Failure::retryable(CHILD_FAILED, message)
}
