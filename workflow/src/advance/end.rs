//! A step or item is over: what becomes of those after it, of its map and of its run.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::payload;
use crate::plan::{OnError, StepNo};
use crate::state::name_of;
use crate::{Failure, RunState, RunStatus, StepKey, StepStatus};

impl RunState {
    /// Completes a step or item; one that came to too much fails.
    pub(super) fn complete(&mut self, turn: &mut Turn<'_>, key: StepKey, output: Value) {
        let Some(bytes) = payload::bytes(&output) else {
            let failure = payload::output_too_large(
                "the output of this step has",
                "return less, or keep the data elsewhere and return where it is",
            );
            return self.fail(turn, key, StepStatus::Failed, failure);
        };
        if key.item.is_some()
            && let Some(lanes) = self.tally.maps.get_mut(&key.step)
        {
            lanes.came_to(bytes);
        }
        let detail = match self.at(key).attempt {
            attempt @ 2.. if self.at(key).items.is_empty() => Some(json!({ "attempt": attempt })),
            _ => None,
        };
        let step = self.at_mut(key);
        step.output = Some(Arc::new(output));
        step.error = None;
        self.over(turn, key, StepStatus::Completed, "step.completed", detail);
        self.step_or_item_ended(turn, key);
    }

    /// Its `when` did not hold.
    pub(super) fn skip(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        self.at_mut(key).output = None;
        self.over(turn, key, StepStatus::Skipped, "step.skipped", None);
        self.step_or_item_ended(turn, key);
    }

    /// Ends a step as failed or timed out, for good, and does what its `on_error` says.
    pub(super) fn fail(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        status: StepStatus,
        mut failure: Failure,
    ) {
        failure.step.get_or_insert_with(|| name_of(turn.plan, key));
        let action = match status {
            StepStatus::TimedOut => "step.timed_out",
            _ => "step.failed",
        };
        let detail = json!({ "attempt": self.at(key).attempt, "error": &failure });
        let step = self.at_mut(key);
        step.output = None;
        step.error = Some(failure.clone());
        self.over(turn, key, status, action, Some(detail));
        self.step_or_item_ended(turn, key);
        if key.item.is_some() || self.status.is_terminal() {
            return;
        }
        match turn.plan.steps[usize::from(key.step)].on_error {
            OnError::Continue => {}
            OnError::Fail => self.fail_run(turn, failure),
            OnError::SkipRest => self.skip_rest(turn),
        }
    }

    pub(super) fn fail_run(&mut self, turn: &mut Turn<'_>, failure: Failure) {
        let detail = json!({ "error": &failure });
        self.end_early(turn, RunStatus::Failed, Some(failure), Some(detail));
    }

    /// Ends a step that is not over because its map or run ends. Where it had begun, its attempt
    /// is aborted and its child cancelled.
    pub(super) fn cut_short(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let step = self.at(key);
        match step.status {
            StepStatus::Pending => self.never_begun(turn, key),
            StepStatus::Running | StepStatus::Waiting => {
                let child = step.child_run_id;
                let detached = step.detached;
                if step.in_flight {
                    turn.abort(key);
                }
                if detached {
                    turn.recall(key);
                }
                if let Some(child) = child {
                    turn.cancel_child(child, "the run that waits for it ended");
                }
                self.over(turn, key, StepStatus::Cancelled, "step.cancelled", None);
            }
            _ => {}
        }
    }

    /// Items that never began leave no trace, so that a large map ends with few rows.
    fn never_begun(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        if key.item.is_none() {
            self.over(turn, key, StepStatus::Skipped, "step.skipped", None);
            return;
        }
        let stored = self.at(key).stored;
        self.at_mut(key).set(StepStatus::Skipped);
        self.at_mut(key).finished_at = Some(turn.now);
        if stored {
            turn.touch(key);
        }
    }

    /// Writes down the end of a step or item. The items of a map end before it does: also those of
    /// an earlier generation that a map which now does not begin would have taken up again.
    pub(super) fn over(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        status: StepStatus,
        action: &'static str,
        detail: Option<Value>,
    ) {
        if key.item.is_none() && status != StepStatus::Completed {
            self.cut_items_short(turn, key.step);
        }
        if key.item.is_none() {
            self.cache.forget(key.step);
        }
        self.land(key);
        self.wake(key);
        let step = self.at_mut(key);
        let before = step.status;
        step.set(status);
        step.finished_at = Some(turn.now);
        if !matches!(status, StepStatus::Skipped) {
            step.started_at.get_or_insert(turn.now);
        }
        turn.touch(key);
        self.record_step(turn, key, action, before, detail);
    }

    fn step_or_item_ended(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        match key.item {
            Some(item) => self.item_ended(turn, key.step, item),
            None => self.step_ended(turn, key.step),
        }
    }

    /// Lets go on what waited for this step alone.
    fn step_ended(&mut self, turn: &mut Turn<'_>, step: StepNo) {
        if usize::from(step) >= turn.plan.forward {
            return self.undo_went_on(turn);
        }
        self.tally.open -= 1;
        for &next in &turn.plan.steps[usize::from(step)].dependents {
            let left = &mut self.tally.needs_left[usize::from(next)];
            *left -= 1;
            if *left == 0 && self.steps[usize::from(next)].status == StepStatus::Pending {
                self.make_step_ready(turn, next);
            }
        }
    }

    /// Takes an attempt out of flight, and gives its place in the map back.
    pub(super) fn land(&mut self, key: StepKey) {
        let step = self.at_mut(key);
        let flew = std::mem::take(&mut step.in_flight);
        let elsewhere = std::mem::take(&mut step.detached);
        let lane = std::mem::take(&mut step.lane);
        self.tally.in_flight -= usize::from(flew);
        self.tally.detached -= usize::from(elsewhere);
        if lane && let Some(lanes) = self.tally.maps.get_mut(&key.step) {
            lanes.taken -= 1;
        }
    }

    /// Takes a place in the map, for an item.
    pub(super) fn take_lane(&mut self, key: StepKey) {
        if key.item.is_none() || std::mem::replace(&mut self.at_mut(key).lane, true) {
            return;
        }
        if let Some(lanes) = self.tally.maps.get_mut(&key.step) {
            lanes.taken += 1;
        }
    }

    /// Takes back a step's alarm.
    pub(super) fn wake(&mut self, key: StepKey) {
        if let Some(at) = self.at_mut(key).wake_at.take() {
            self.tally.timers.remove(&(at, key));
        }
    }
}
