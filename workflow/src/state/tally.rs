//! Running counts over a run's steps, so that an event costs the same in a run of 10,000 items
//! as in one of three. They can be counted again from the steps at any time.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::limits::PAYLOAD_BYTES_MAX;
use crate::payload;
use crate::plan::{Kind, StepNo};
use crate::state::{StepKey, StepState, ending, is_call};
use crate::{Plan, StepStatus, Time};

/// What `advance` would otherwise have to look for.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Steps that are not over.
    pub(crate) open: usize,
    /// Attempts in flight, items included.
    pub(crate) in_flight: usize,
    /// Attempts that are made elsewhere, items included.
    pub(crate) detached: usize,
    /// So many may be in flight or made elsewhere.
    pub(crate) max_parallel: usize,
    /// For each step, how many of its needs are not over.
    pub(crate) needs_left: Vec<usize>,
    /// Steps that are decided here and may begin.
    pub(crate) ready_pure: BTreeSet<StepNo>,
    /// Steps whose next attempt may begin when there is room.
    pub(crate) ready_calls: BTreeSet<StepNo>,
    /// What sleeps, and the maps under way that may time out; the first to wake first.
    pub(crate) timers: BTreeSet<(Time, StepKey)>,
    /// The maps under way.
    pub(crate) maps: BTreeMap<StepNo, Lanes>,
}

/// Where a map stands.
#[derive(Debug)]
pub(crate) struct Lanes {
    /// The first item that has not begun, unless it stands in `again`.
    pub(crate) cursor: u32,
    /// Items before or after the cursor that may begin: their backoff is over, they were given
    /// back, or a dead worker left them.
    pub(crate) again: BTreeSet<u32>,
    /// Places taken.
    pub(crate) taken: usize,
    pub(crate) max_parallel: usize,
    /// Items that are not over.
    pub(crate) left: usize,
    pub(crate) failed: usize,
    /// Of the list that the completed items come to, as JSON.
    pub(crate) bytes: usize,
    /// The lowest item that failed.
    pub(crate) first_failed: Option<u32>,
    /// Whether its items are made by workers.
    pub(crate) calls: bool,
}

impl Tally {
    /// Counts a run in which nothing is in flight.
    pub(crate) fn count(plan: &Plan, steps: &[StepState]) -> Self {
        if let Some(ending) = ending::ending(plan, steps) {
            return Self::undoing(plan, steps, &ending::left(plan, steps, ending.status));
        }
        let mut tally = Self {
            max_parallel: plan.max_parallel.max(1),
            needs_left: vec![0; steps.len()],
            ..Self::default()
        };
        let made_elsewhere = |step: &StepState| usize::from(step.detached);
        for (n, (planned, step)) in (0..).zip(plan.steps.iter().zip(steps)).take(plan.forward) {
            if !step.status.is_terminal() {
                tally.open += 1;
            }
            tally.detached += made_elsewhere(step);
            tally.detached += step.items.iter().map(made_elsewhere).sum::<usize>();
            let left = planned
                .needs
                .iter()
                .filter(|&&need| !steps[usize::from(need)].status.is_terminal())
                .count();
            tally.needs_left[usize::from(n)] = left;
            match (&planned.kind, step.status) {
                (kind, StepStatus::Pending) if left == 0 => tally.ready(n, is_call(kind)),
                (Kind::Map(map), StepStatus::Running) => {
                    let lanes = Lanes::count(n, map, &step.items, &mut tally.timers);
                    let patience = step.wake_at.map(|at| (at, StepKey::step(n)));
                    tally.timers.extend(patience);
                    tally.maps.insert(n, lanes);
                }
                // Left by a dead worker: to be made again.
                (_, StepStatus::Running) => tally.ready(n, true),
                (_, StepStatus::Waiting) => {
                    if let Some(at) = step.wake_at {
                        tally.timers.insert((at, StepKey::step(n)));
                    }
                }
                _ => {}
            }
        }
        tally
    }

    /// Counts a run that does not complete: what is left to undo is done one after the other, and
    /// only the first of it may have begun.
    pub(crate) fn undoing(plan: &Plan, steps: &[StepState], left: &[StepNo]) -> Self {
        let all = 1;
        let mut tally = Self {
            max_parallel: 1,
            needs_left: vec![0; steps.len()],
            open: left.len() + all,
            ..Self::default()
        };
        let Some(&next) = left.first() else {
            return tally;
        };
        let step = &steps[usize::from(next)];
        tally.detached = usize::from(step.detached);
        match (step.status, step.wake_at) {
            (StepStatus::Waiting, Some(at)) => {
                tally.timers.insert((at, StepKey::step(next)));
            }
            (StepStatus::Running, _) => tally.ready(next, true),
            _ => tally.ready(next, is_call(&plan.steps[usize::from(next)].kind)),
        }
        tally
    }

    /// Notes that a step may begin.
    pub(crate) fn ready(&mut self, step: StepNo, call: bool) {
        if call {
            self.ready_calls.insert(step);
        } else {
            self.ready_pure.insert(step);
        }
    }

    /// Notes that a step or item that was to begin again is over instead.
    pub(crate) fn not_ready(&mut self, key: StepKey) {
        match key.item {
            None => {
                self.ready_calls.remove(&key.step);
            }
            Some(item) => {
                if let Some(lanes) = self.maps.get_mut(&key.step) {
                    lanes.again.remove(&item);
                }
            }
        }
    }

    /// Says whether another attempt may be in flight.
    pub(crate) fn has_room(&self) -> bool {
        self.in_flight + self.detached < self.max_parallel
    }

    /// Says whether something could begin now.
    pub(crate) fn has_startable(&self, steps: &[StepState]) -> bool {
        !self.ready_pure.is_empty()
            || (self.has_room() && !self.ready_calls.is_empty())
            || self.maps.iter().any(|(&n, lanes)| {
                let items = &steps[usize::from(n)].items;
                (self.has_room() || !lanes.calls) && lanes.has_startable(items)
            })
    }
}

impl Lanes {
    /// Counts a map of which nothing is in flight, and collects its timers.
    pub(crate) fn count(
        step: StepNo,
        map: &crate::plan::Map,
        items: &[StepState],
        timers: &mut BTreeSet<(Time, StepKey)>,
    ) -> Self {
        let mut lanes = Self {
            cursor: 0,
            again: BTreeSet::new(),
            taken: 0,
            max_parallel: map.max_parallel.max(1),
            left: 0,
            failed: 0,
            bytes: 0,
            first_failed: None,
            calls: is_call(&map.step.kind),
        };
        for (i, item) in (0..).zip(items) {
            if !item.status.is_terminal() {
                lanes.left += 1;
            }
            match item.status {
                StepStatus::Running => {
                    lanes.again.insert(i);
                }
                StepStatus::Waiting => {
                    if let Some(at) = item.wake_at {
                        timers.insert((at, StepKey::item(step, i)));
                    }
                    if item.lane {
                        lanes.taken += 1;
                    }
                }
                StepStatus::Completed => {
                    let output = item.output.as_deref().unwrap_or(&Value::Null);
                    lanes.came_to(payload::bytes(output).unwrap_or(PAYLOAD_BYTES_MAX));
                }
                StepStatus::Failed | StepStatus::TimedOut => {
                    lanes.failed += 1;
                    lanes.first_failed.get_or_insert(i);
                }
                _ => {}
            }
        }
        lanes.move_cursor(items);
        lanes
    }

    /// Counts the output of an item that completed.
    pub(crate) fn came_to(&mut self, bytes: usize) {
        let comma = 1;
        self.bytes = self.bytes.saturating_add(bytes + comma);
    }

    /// Says whether its list would be more than a payload may be, whatever the open items come to.
    pub(crate) fn too_large(&self) -> bool {
        self.bytes > PAYLOAD_BYTES_MAX
    }

    /// Says whether one of its items could begin, as far as the map itself goes.
    pub(crate) fn has_startable(&self, items: &[StepState]) -> bool {
        self.taken < self.max_parallel
            && (!self.again.is_empty() || (self.cursor as usize) < items.len())
    }

    /// Moves the cursor past what has begun.
    pub(crate) fn move_cursor(&mut self, items: &[StepState]) {
        while items
            .get(self.cursor as usize)
            .is_some_and(|item| item.status != StepStatus::Pending)
        {
            self.cursor += 1;
        }
    }

    /// Takes the next item that may begin.
    pub(crate) fn next(&mut self, items: &[StepState]) -> Option<u32> {
        if !self.has_startable(items) {
            return None;
        }
        if let Some(item) = self.again.pop_first() {
            return Some(item);
        }
        Some(self.cursor)
    }
}
