//! The run does not complete: what it did is undone, `on_failure` runs, and then it ends.
//!
//! All that happens one after the other. A compensation that fails for good is recorded, and the
//! next one runs. Nothing that happens on the way changes how the run ends: not a failure, not the
//! run's timeout, and not another cancel.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::state::{Ending, Tally, ending};
use crate::{Failure, RunState, RunStatus, StepKey, StepStatus};

impl RunState {
    /// Ends the run with what it is to end with, once all that must come before is done.
    pub(super) fn undo_and_end(
        &mut self,
        turn: &mut Turn<'_>,
        status: RunStatus,
        failure: Option<Failure>,
        detail: Option<Value>,
    ) {
        let left = ending::left(turn.plan, &self.steps, status);
        let Some(&first) = left.first() else {
            self.error = failure;
            return self.end(turn, status, action(status), detail);
        };
        let by = self.cancelled_by.take();
        let reason = self.cancel_reason.take();
        let ending = Ending::new(status, failure, by, reason);
        let all = ending::all(turn.plan);
        let kept = serde_json::to_value(&ending).unwrap_or_default();
        let step = self.at_mut(all);
        step.set(StepStatus::Running);
        step.attempt = 1;
        step.shown = true;
        step.input = Some(Arc::new(kept));
        step.started_at = Some(turn.now);
        turn.touch(all);
        self.tally = Tally::undoing(turn.plan, &self.steps, &left);
        self.ending = Some(ending);
        let mut told = detail.unwrap_or_else(|| json!({}));
        told["status"] = json!(status);
        told["first"] = json!(turn.plan.steps[usize::from(first)].name);
        told["steps"] = json!(left.len());
        let stands = self.status.as_str();
        self.record_run(turn, "run.undoing", stands, stands, Some(told));
        turn.on_its_own();
        self.go_on(turn);
    }

    /// One of them is over: the next one runs, or the run ends.
    pub(super) fn undo_went_on(&mut self, turn: &mut Turn<'_>) {
        let Some(ending) = &self.ending else { return };
        let left = ending::left(turn.plan, &self.steps, ending.status);
        self.tally.open -= 1;
        match left.first() {
            Some(&next) => self.make_step_ready(turn, next),
            None => self.undo_is_over(turn, StepStatus::Completed, "step.completed"),
        }
    }

    /// Ends the run without what is left, because its workers keep dying.
    pub(super) fn give_undo_up(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        for n in turn.plan.forward..self.steps.len() {
            let Ok(n) = u16::try_from(n) else { break };
            let key = StepKey::step(n);
            let begun = [StepStatus::Running, StepStatus::Waiting].contains(&self.at(key).status);
            if begun && key != ending::all(turn.plan) {
                self.cut_short(turn, key);
            }
        }
        self.at_mut(ending::all(turn.plan)).error = Some(failure);
        self.undo_is_over(turn, StepStatus::Failed, "step.failed");
    }

    fn undo_is_over(&mut self, turn: &mut Turn<'_>, status: StepStatus, step_action: &'static str) {
        let Some(ending) = self.ending.take() else {
            return;
        };
        self.over(turn, ending::all(turn.plan), status, step_action, None);
        let Ending {
            status,
            error,
            cancelled_by,
            reason,
            ..
        } = ending;
        let detail = match (&error, &reason) {
            (Some(error), _) => Some(json!({ "error": error })),
            (None, Some(reason)) => Some(json!({ "reason": reason })),
            (None, None) => None,
        };
        self.error = error;
        if let Some(actor) = &cancelled_by {
            turn.asked_by(actor.clone(), None);
        }
        self.cancelled_by = cancelled_by;
        self.cancel_reason = reason;
        self.end(turn, status, action(status), detail);
    }

    /// Somebody cancels a run that is ending already.
    pub(super) fn ignore_cancel(&mut self, turn: &mut Turn<'_>, reason: Option<&str>) {
        turn.must_commit();
        let stands = self.status.as_str();
        let detail = json!({ "reason": reason });
        self.record_run(turn, "run.cancel_ignored", stands, stands, Some(detail));
    }
}

/// Returns what the end of a run is called in its records.
const fn action(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Cancelled => "run.cancelled",
        RunStatus::TimedOut => "run.timed_out",
        _ => "run.failed",
    }
}
