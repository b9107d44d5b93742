//! From rows to a run in memory, and back.

use chrono::TimeDelta;
use serde_json::Value;

use crate::expression::Cache;
use crate::plan::{Kind, PlannedStep};
use crate::state::{StepState, Tally, delta, is_call, name_of, planned};
use crate::{Plan, RunHeader, RunState, RunStatus, StepKey, StepSnapshot, StepStatus};

impl RunState {
    /// Makes the state again from what is stored. `steps` holds, for each step, the row of its
    /// newest generation, in any order.
    #[must_use]
    pub fn restore(plan: &Plan, header: RunHeader, steps: Vec<StepSnapshot>) -> Self {
        let mut states: Vec<StepState> = plan
            .steps
            .iter()
            .map(|planned| StepState::new(header.generation, planned.max_attempts()))
            .collect();
        let (items, whole): (Vec<_>, Vec<_>) =
            steps.into_iter().partition(|row| row.key.item.is_some());
        for row in whole {
            if let Some(state) = states.get_mut(usize::from(row.key.step)) {
                *state = from_row(&header, planned(plan, row.key), row);
            }
        }
        // The lists first: they say which rows of items count.
        for (planned, state) in plan.steps.iter().zip(&mut states) {
            if let Kind::Map(map) = &planned.kind {
                let fresh = StepState::new(header.generation, map.step.max_attempts());
                state.items = vec![fresh; list_len(state)];
            }
        }
        for row in items {
            let Some(map) = states.get_mut(usize::from(row.key.step)) else {
                continue;
            };
            let listed_in = map.attempt;
            let slot = row.key.item.and_then(|i| map.items.get_mut(i as usize));
            if let Some(state) = slot
                && u32::try_from(row.generation).is_ok_and(|g| g >= listed_in)
            {
                *state = from_row(&header, planned(plan, row.key), row);
            }
        }
        let timeout = match header.timeout_ms {
            Some(ms) => Some(TimeDelta::milliseconds(ms.max(0))),
            None => plan.timeout.map(delta),
        };
        let seen = header.started_at.unwrap_or(header.created_at);
        let mut header = header;
        // Whether it has begun or not: where it stood is what the next record says it stood.
        if header.paused && !header.status.is_terminal() {
            header.status = RunStatus::Paused;
        }
        let mut run = Self {
            status: header.status,
            tally: Tally::default(),
            header,
            steps: states,
            output: None,
            error: None,
            cancelled_by: None,
            cancel_reason: None,
            finished_at: None,
            cache: Cache::default(),
            draining: false,
            begun: false,
            seen,
            rested_at: seen,
            timeout,
            ending: None,
            undone: Vec::new(),
        };
        run.restore_ending(plan);
        run.tally = Tally::count(plan, &run.steps);
        run
    }

    /// Returns the row of a step as it is now.
    #[must_use]
    pub fn snapshot(&self, plan: &Plan, key: StepKey) -> StepSnapshot {
        let step = self.at(key);
        StepSnapshot {
            key,
            name: name_of(plan, key),
            kind: planned(plan, key).word,
            generation: step.generation,
            status: step.status,
            attempt: step.attempt,
            max_attempts: step.max_attempts,
            input: step.input.clone(),
            output: step.output.clone(),
            error: step.error.clone(),
            started_at: step.started_at,
            finished_at: step.finished_at,
            wake_at: step.wake_at,
            child_run_id: step.child_run_id,
        }
    }
}

fn from_row(header: &RunHeader, planned: &PlannedStep, row: StepSnapshot) -> StepState {
    let waiting = row.status == StepStatus::Waiting;
    // After a failed attempt the error says so; an attempt that is made elsewhere has none.
    let detached = waiting && is_call(&planned.kind) && row.error.is_none();
    let waits_for_itself = match planned.kind {
        Kind::Delay(_) | Kind::Wait { .. } => true,
        Kind::Workflow { .. } => row.child_run_id.is_some(),
        _ => false,
    };
    StepState {
        status: row.status,
        attempt: row.attempt,
        input: row.input,
        output: row.output,
        error: row.error,
        started_at: row.started_at,
        finished_at: row.finished_at,
        wake_at: row.wake_at,
        child_run_id: row.child_run_id,
        stored: row.generation == header.generation,
        shown: row.status == StepStatus::Running,
        detached,
        lane: waiting && (waits_for_itself || detached),
        ..StepState::new(row.generation, row.max_attempts)
    }
}

fn list_len(map: &StepState) -> usize {
    match map.input.as_deref() {
        Some(Value::Array(list)) => list.len(),
        _ => 0,
    }
}
