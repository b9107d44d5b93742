//! The next generation was opened: what failed, and what was to come after it, is made ready to
//! run again.

use serde_json::json;

use super::Turn;
use super::finish::step_nos;
use crate::expression::Cache;
use crate::plan::{Kind, PlannedStep, StepNo};
use crate::state::{StepState, Tally, is_call};
use crate::{Plan, RunState, StepKey, StepStatus};

impl RunState {
    /// Comes right after a load. A run that this process already began is not touched.
    pub(super) fn retry(&mut self, turn: &mut Turn<'_>, from_step: Option<&str>, reset: bool) {
        if self.begun {
            return;
        }
        let from = from_step.and_then(|name| turn.plan.step_no(name));
        self.cache = Cache::default();
        let undone = std::mem::take(&mut self.undone);
        self.ending = None;
        let anew = runs_anew(turn.plan, from, reset, &undone);
        for n in step_nos(turn.plan) {
            if anew[usize::from(n)] {
                self.wipe(turn, n);
            } else if self.steps[usize::from(n)].status != StepStatus::Completed {
                self.reopen(turn, n);
            }
        }
        self.tally = Tally::count(turn.plan, &self.steps);
        turn.must_commit();
        let status = self.status.as_str();
        let detail = json!({
            "generation": self.header.generation, "from_step": from_step, "reset": reset,
        });
        self.record_run(turn, "run.retried", status, status, Some(detail));
    }

    /// Forgets all about a step: it runs again as if for the first time.
    fn wipe(&mut self, turn: &mut Turn<'_>, n: StepNo) {
        let old = self.renew(turn, n);
        if old.status != StepStatus::Pending {
            turn.touch(StepKey::step(n));
        }
    }

    /// Makes a step that did not complete ready again. A map keeps its list and its completed
    /// items, a `wait` the signal that came early.
    fn reopen(&mut self, turn: &mut Turn<'_>, n: StepNo) {
        let planned = &turn.plan.steps[usize::from(n)];
        let generation = self.header.generation;
        let old = self.renew(turn, n);
        if old.status == StepStatus::Pending && old.output.is_none() {
            return;
        }
        turn.touch(StepKey::step(n));
        let step = &mut self.steps[usize::from(n)];
        match &planned.kind {
            Kind::Wait { .. } => step.output = old.output,
            Kind::Map(map) if old.input.is_some() => {
                step.attempt = old.attempt;
                step.input = old.input;
                step.items = old.items;
                for (i, item) in (0..).zip(&mut step.items) {
                    let fresh = StepState::new(generation, attempts(&map.step, item));
                    match item.status {
                        StepStatus::Completed => {}
                        StepStatus::Pending => *item = fresh,
                        _ => {
                            *item = fresh;
                            turn.touch(StepKey::item(n, i));
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// Puts a fresh step in the place of one, and returns the old one.
    fn renew(&mut self, turn: &Turn<'_>, n: StepNo) -> StepState {
        let step = &mut self.steps[usize::from(n)];
        let attempts = attempts(&turn.plan.steps[usize::from(n)], step);
        std::mem::replace(step, StepState::new(self.header.generation, attempts))
    }
}

/// Returns how many attempts a step has in the next generation: of a call, as many as it had. The
/// definition alone does not know an agent's own policy.
fn attempts(planned: &PlannedStep, old: &StepState) -> u32 {
    if is_call(&planned.kind) {
        old.max_attempts
    } else {
        planned.max_attempts()
    }
}

/// Says for each step whether it runs again even though it completed: because that was asked for,
/// or because it was undone.
pub(crate) fn runs_anew(
    plan: &Plan,
    from: Option<StepNo>,
    reset: bool,
    undone: &[StepNo],
) -> Vec<bool> {
    let mut anew = vec![reset; plan.steps.len()];
    // Every step stands after those it needs, so one pass finds all that come after `from`.
    for (n, planned) in (0..).zip(&plan.steps) {
        let after = planned.needs.iter().any(|&need| anew[usize::from(need)]);
        if from == Some(n) || after || undone.contains(&n) {
            anew[usize::from(n)] = true;
        }
    }
    anew
}
