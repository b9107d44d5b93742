//! Names a step of a run or one item of a map, and finds what it names.

use crate::plan::{Kind, PlannedStep, StepNo};
use crate::state::StepState;
use crate::{Plan, RunState};

/// Names a step of a run, or one item of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StepKey {
    pub step: StepNo,
    pub item: Option<u32>,
}

impl StepKey {
    /// Names a step itself.
    #[must_use]
    pub const fn step(step: StepNo) -> Self {
        Self { step, item: None }
    }

    /// Names an item of a map.
    #[must_use]
    pub const fn item(step: StepNo, item: u32) -> Self {
        Self {
            step,
            item: Some(item),
        }
    }
}

/// Returns what is planned for a step or item.
pub(crate) fn planned(plan: &Plan, key: StepKey) -> &PlannedStep {
    let step = &plan.steps[usize::from(key.step)];
    match (&step.kind, key.item) {
        (Kind::Map(map), Some(_)) => &map.step,
        _ => step,
    }
}

/// Returns `score` or `score[17]`.
pub(crate) fn name_of(plan: &Plan, key: StepKey) -> String {
    let name = &plan.steps[usize::from(key.step)].name;
    match key.item {
        Some(item) => format!("{name}[{item}]"),
        None => name.to_string(),
    }
}

/// Says whether a step is made in attempts, by a worker or by others, rather than decided here.
pub(crate) const fn is_call(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::Agent { .. } | Kind::Http { .. } | Kind::Task { .. } | Kind::External { .. }
    )
}

impl RunState {
    /// Returns the step of a key that came from outside.
    pub(crate) fn find(&self, key: StepKey) -> Option<&StepState> {
        let step = self.steps.get(usize::from(key.step))?;
        match key.item {
            Some(item) => step.items.get(item as usize),
            None => Some(step),
        }
    }

    pub(crate) fn find_mut(&mut self, key: StepKey) -> Option<&mut StepState> {
        let step = self.steps.get_mut(usize::from(key.step))?;
        match key.item {
            Some(item) => step.items.get_mut(item as usize),
            None => Some(step),
        }
    }

    /// Returns the step of a key that was made here.
    pub(crate) fn at(&self, key: StepKey) -> &StepState {
        let step = &self.steps[usize::from(key.step)];
        match key.item {
            Some(item) => &step.items[item as usize],
            None => step,
        }
    }

    pub(crate) fn at_mut(&mut self, key: StepKey) -> &mut StepState {
        let step = &mut self.steps[usize::from(key.step)];
        match key.item {
            Some(item) => &mut step.items[item as usize],
            None => step,
        }
    }
}
