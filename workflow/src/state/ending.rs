//! How a run will end once what it did is undone, and what is left to undo.
//!
//! The end is decided before the first compensation begins and never changes after that. It is kept
//! as the input of a step of its own, `undo:*`, which is `running` for as long as there is something
//! left: a driver that takes over reads it from there.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::plan::StepNo;
use crate::state::StepState;
use crate::{Failure, Plan, RunState, RunStatus, StepKey, StepStatus, Time};

/// How a run will end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ending {
    pub(crate) status: RunStatus,
    pub(crate) error: Option<Failure>,
    pub(crate) cancelled_by: Option<String>,
    pub(crate) reason: Option<String>,
    /// What expressions see as `error`.
    #[serde(skip)]
    pub(crate) shown: Value,
}

impl Ending {
    /// Makes an end.
    pub(crate) fn new(
        status: RunStatus,
        error: Option<Failure>,
        cancelled_by: Option<String>,
        reason: Option<String>,
    ) -> Self {
        let mut ending = Self {
            status,
            error,
            cancelled_by,
            reason,
            shown: Value::Null,
        };
        ending.show();
        ending
    }

    /// Reads an end as it is kept.
    fn read(kept: Option<&Value>) -> Self {
        let read = kept.and_then(|kept| Self::deserialize(kept).ok());
        let mut ending = read.unwrap_or_else(|| {
            let message = "what is stored of the end of this run cannot be read";
            Self::new(
                RunStatus::Failed,
                Some(Failure::fatal("lost", message)),
                None,
                None,
            )
        });
        ending.show();
        ending
    }

    fn show(&mut self) {
        self.shown = match &self.error {
            Some(error) => json!({
                "type": error.kind, "message": error.message, "step": error.step,
                "retryable": error.retryable,
            }),
            None => json!({
                "type": self.status.as_str(),
                "message": self.reason.as_deref().unwrap_or("the run was cancelled"),
                "step": null, "retryable": false,
            }),
        };
    }
}

/// Returns how the run will end, if that is decided. `steps` are those of the plan.
pub(crate) fn ending(plan: &Plan, steps: &[StepState]) -> Option<Ending> {
    let all = steps.get(plan.forward)?;
    (all.status == StepStatus::Running).then(|| Ending::read(all.input.as_deref()))
}

/// Returns what is left to do before a run ends with `status`, in order: the compensations of the
/// steps that completed, the last to complete first, and then `on_failure`.
pub(crate) fn left(plan: &Plan, steps: &[StepState], status: RunStatus) -> Vec<StepNo> {
    let open = |n: StepNo| !steps[usize::from(n)].status.is_terminal();
    let mut done: Vec<(Option<Time>, StepNo)> = Vec::new();
    let mut ends: Vec<Option<Time>> = Vec::with_capacity(plan.forward);
    for (planned, step) in plan.steps.iter().zip(&steps[..plan.forward]) {
        // Two workers' clocks may differ, but no step completed before one that it needs.
        let needed = planned.needs.iter().map(|&need| ends[usize::from(need)]);
        let end = needed.chain([step.finished_at]).max().flatten();
        ends.push(end);
        // What was taken over from another run is that run's to undo.
        let made = step.status == StepStatus::Completed && step.attempt > 0;
        if let Some(undo) = planned.undo.filter(|&undo| made && open(undo)) {
            done.push((end, undo));
        }
    }
    done.sort_unstable();
    let mut left: Vec<StepNo> = done.into_iter().rev().map(|(_, undo)| undo).collect();
    if status != RunStatus::Cancelled {
        let on_failure = (0..).zip(&plan.steps).skip(plan.forward + 1);
        let own = on_failure.filter(|(n, step)| step.undoes.is_none() && open(*n));
        left.extend(own.map(|(n, _)| n));
    }
    left
}

impl RunState {
    /// Says whether the run has failed, timed out or was cancelled, and what it did is being undone.
    #[must_use]
    pub fn is_undoing(&self) -> bool {
        self.ending.is_some()
    }

    /// Takes up what is stored of the end of the run. What an earlier generation undid is forgotten,
    /// but for the fact.
    pub(crate) fn restore_ending(&mut self, plan: &Plan) {
        for n in plan.forward..self.steps.len() {
            let fresh = StepState::new(self.header.generation, plan.steps[n].max_attempts());
            if self.steps[n].generation == self.header.generation {
                continue;
            }
            let was = std::mem::replace(&mut self.steps[n], fresh);
            if let Some(of) = plan.steps[n].undoes
                && was.attempt > 0
                && was.generation >= self.steps[usize::from(of)].generation
            {
                self.undone.push(of);
            }
        }
        self.ending = ending(plan, &self.steps);
    }
}

/// Names the step that stands for all that is undone.
pub(crate) fn all(plan: &Plan) -> StepKey {
    StepKey::step(StepNo::try_from(plan.forward).unwrap_or(StepNo::MAX))
}
