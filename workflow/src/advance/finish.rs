//! The run is over: because all its steps are, or before that.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::expression::Scope;
use crate::payload;
use crate::plan::StepNo;
use crate::state::{StepState, Tally};
use crate::{Failure, Plan, RunState, RunStatus, StepKey, StepStatus};

impl RunState {
    /// Every step is over: the run completes with its output.
    pub(super) fn finish(&mut self, turn: &mut Turn<'_>) {
        turn.next_step();
        match self.final_output(turn) {
            Err(_) if turn.is_cut_short() => {
                // Nothing of it is to begin any more, also where the rest was skipped.
                self.tally = Tally::count(turn.plan, &self.steps);
                turn.leave_end();
            }
            Ok(output) => {
                self.output = output;
                self.end(turn, RunStatus::Completed, "run.completed", None);
            }
            Err(failure) => {
                let detail = json!({ "error": &failure });
                self.undo_and_end(turn, RunStatus::Failed, Some(failure), Some(detail));
            }
        }
    }

    /// Ends the run while some of its steps are not over: what is in flight is aborted, what has
    /// begun is cancelled, the rest is skipped.
    pub(super) fn end_early(
        &mut self,
        turn: &mut Turn<'_>,
        status: RunStatus,
        failure: Option<Failure>,
        detail: Option<Value>,
    ) {
        self.cut_all_short(turn);
        self.undo_and_end(turn, status, failure, detail);
    }

    /// A step with `on_error: skip_rest` failed: the run completes without the rest.
    pub(super) fn skip_rest(&mut self, turn: &mut Turn<'_>) {
        for step in &mut self.steps {
            // A signal that came early has nobody to go to any more.
            if step.status == StepStatus::Pending {
                step.output = None;
            }
        }
        self.cut_all_short(turn);
        self.finish(turn);
    }

    fn cut_all_short(&mut self, turn: &mut Turn<'_>) {
        for n in step_nos(turn.plan) {
            self.cut_short(turn, StepKey::step(n));
        }
    }

    /// Writes down the end of the run, as its last record.
    pub(super) fn end(
        &mut self,
        turn: &mut Turn<'_>,
        status: RunStatus,
        action: &'static str,
        detail: Option<Value>,
    ) {
        let before = self.status.as_str();
        self.set(status);
        self.finished_at = Some(turn.now);
        self.tally = Tally::default();
        turn.must_commit();
        self.record_run(turn, action, before, status.as_str(), detail);
    }

    fn final_output(&self, turn: &Turn<'_>) -> Result<Option<Arc<Value>>, Failure> {
        let Some(template) = &turn.plan.output else {
            let completed = |step: &&StepState| step.status == StepStatus::Completed;
            let last = self.steps.iter().rev().find(completed);
            return Ok(last.and_then(|step| step.output.clone()));
        };
        let scope = Scope {
            run: self,
            plan: turn.plan,
            item: None,
        };
        let output = template
            .render(scope)
            .map_err(|message| Failure::fatal("expression", format!("output: {message}")))?;
        if payload::bytes(&output).is_none() {
            return Err(payload::output_too_large(
                "the output of the run has",
                "let the workflow's `output` name less",
            ));
        }
        Ok(Some(Arc::new(output)))
    }
}

/// Returns the place of every step that makes up the workflow.
pub(super) fn step_nos(plan: &Plan) -> std::ops::Range<StepNo> {
    0..StepNo::try_from(plan.forward).unwrap_or(StepNo::MAX)
}
