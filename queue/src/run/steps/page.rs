//! Puts the steps that have not begun between those that have.

use stepwell_workflow::plan::Kind;
use stepwell_workflow::{Plan, StepStatus};

use super::{RunStep, StepPage, StepPlace};

/// What is said of a step without a row.
pub(super) struct Absent<'a> {
    pub(super) plan: &'a Plan,
    pub(super) generation: i32,
    pub(super) status: StepStatus,
}

/// Makes the page after `start` of `begun`, which holds the rows after it, at most `limit` and in order,
/// and of the plan's steps that have no row. `more`: there are rows after those.
pub(super) fn fill(
    begun: Vec<RunStep>,
    more: bool,
    start: StepPlace,
    limit: usize,
    absent: &Absent<'_>,
) -> StepPage {
    // Beyond the last row read it is not known which steps have one, unless all were read.
    let horizon = begun.last().filter(|_| more).map(|last| last.place);
    let mut missing = (0..absent.plan.forward)
        .filter_map(|n| i16::try_from(n).ok())
        .map(|step| StepPlace { step, item: -1 })
        .filter(|place| *place > start && horizon.is_none_or(|horizon| *place < horizon))
        .peekable();
    let mut steps = Vec::with_capacity(limit);
    for row in begun {
        while let Some(place) = missing.next_if(|place| *place < row.place) {
            steps.push(absent.step(place));
        }
        missing.next_if(|place| *place == row.place);
        steps.push(row);
    }
    steps.extend(missing.map(|place| absent.step(place)));
    let more = more || steps.len() > limit;
    steps.truncate(limit);
    StepPage { steps, more }
}

impl Absent<'_> {
    fn step(&self, place: StepPlace) -> RunStep {
        let planned = &self.plan.steps[usize::from(place.step.unsigned_abs())];
        RunStep {
            place,
            name: planned.name.to_string(),
            kind: planned.word.to_owned(),
            status: self.status,
            generation: self.generation,
            attempt: 0,
            max_attempts: i16::try_from(planned.max_attempts()).unwrap_or(i16::MAX),
            input: None,
            output: None,
            error: None,
            started_at: None,
            finished_at: None,
            wake_at: None,
            child_run_id: None,
            worker_id: None,
            awaits: awaits(self.plan, place.step),
        }
    }
}

/// Returns the signal, the topic or the queue that this step of the plan, or its items, wait for.
pub(super) fn awaits(plan: &Plan, step: i16) -> Option<String> {
    let step = plan.steps.get(usize::try_from(step).ok()?)?;
    let step = match &step.kind {
        Kind::Map(map) => &map.step,
        _ => step,
    };
    match &step.kind {
        Kind::Wait { signal, .. } => Some(signal.to_string()),
        _ => step.put_up_on().map(str::to_owned),
    }
}
