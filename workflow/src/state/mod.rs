//! Where a run stands, in memory. Made from what is stored, changed only by `advance`.

pub(crate) mod ending;
mod key;
mod rest;
mod restore;
mod tally;

use std::sync::Arc;

use chrono::TimeDelta;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::plan::StepNo;
use crate::{Failure, RunHeader, RunStatus, StepStatus, Time};

pub(crate) use ending::Ending;
pub use key::StepKey;
pub(crate) use key::{is_call, name_of, planned};
pub(crate) use rest::{delta, later};
pub(crate) use tally::{Lanes, Tally};

/// A run in memory.
#[derive(Debug)]
pub struct RunState {
    pub header: RunHeader,
    pub status: RunStatus,
    pub steps: Vec<StepState>,
    pub output: Option<Arc<Value>>,
    pub error: Option<Failure>,
    pub cancelled_by: Option<String>,
    pub cancel_reason: Option<String>,
    pub finished_at: Option<Time>,
    /// What expressions keep of `header.input` and the steps' outputs.
    pub cache: crate::expression::Cache,
    /// Set by a worker that stops: outcomes are still taken in and the run may still end, but
    /// nothing new is started.
    pub draining: bool,
    /// Whether this process took the run in; before that, nothing is started.
    pub(crate) begun: bool,
    /// The instant of the last event.
    pub(crate) seen: Time,
    /// Since when nothing moves, where nothing does.
    pub(crate) rested_at: Time,
    /// From the start of the generation to its end.
    pub(crate) timeout: Option<TimeDelta>,
    pub(crate) tally: Tally,
    /// How the run will end once what it did is undone; `None`: it may still complete.
    pub(crate) ending: Option<Ending>,
    /// Steps that completed and were undone since.
    pub(crate) undone: Vec<StepNo>,
}

/// A step in memory. For a map, `items` holds one per item.
#[derive(Clone, Debug)]
pub struct StepState {
    pub status: StepStatus,
    pub generation: i32,
    /// The last attempt begun. For a map, the generation in which its items were listed: rows of
    /// items from before that belong to another list.
    pub attempt: u32,
    pub max_attempts: u32,
    /// What the attempt was given. For a map, the list of its items.
    pub input: Option<Arc<Value>>,
    /// What it came to. For a `wait` that has not begun, the signal that came early.
    pub output: Option<Arc<Value>>,
    pub error: Option<Failure>,
    /// When the first attempt of this generation began.
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub wake_at: Option<Time>,
    pub child_run_id: Option<Uuid>,
    pub items: Vec<StepState>,
    /// Whether an attempt is in flight in this process.
    pub in_flight: bool,
    /// Whether a row of this generation exists: the commit then updates, else inserts.
    pub stored: bool,
    /// Whether the current attempt was written down as running.
    pub(crate) shown: bool,
    /// Whether its attempt is made elsewhere, and its result comes as a message.
    pub(crate) detached: bool,
    /// Whether it takes one of its map's `max_parallel` places.
    pub(crate) lane: bool,
}

/// Why a run is not moving: shown by the API and `v_blocked`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlockedOn {
    /// `delay`, `retry`, `signal`, `approval`, `child`, `agent`, `callback`, `queue`, `external`,
    /// `paused`, `concurrency`.
    pub kind: &'static str,
    pub since: Time,
    /// `None`: until somebody acts.
    pub until: Option<Time>,
    /// The name of the step, signal, queue or topic, the child's id or the concurrency key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl StepState {
    /// Returns a step that nothing has happened to.
    pub(crate) fn new(generation: i32, max_attempts: u32) -> Self {
        Self {
            status: StepStatus::Pending,
            generation,
            attempt: 0,
            max_attempts,
            input: None,
            output: None,
            error: None,
            started_at: None,
            finished_at: None,
            wake_at: None,
            child_run_id: None,
            items: Vec::new(),
            in_flight: false,
            stored: false,
            shown: false,
            detached: false,
            lane: false,
        }
    }

    /// Changes the status. The one place that does, within a generation.
    pub(crate) fn set(&mut self, next: StepStatus) {
        debug_assert!(
            self.status.may_become(next),
            "a step may not go from {} to {}",
            self.status.as_str(),
            next.as_str()
        );
        self.status = next;
    }
}

impl RunState {
    /// Returns the number of attempts in flight in this process.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.tally.in_flight
    }

    /// Returns the steps and items that have a row in this generation and are not over.
    pub fn open_rows(&self) -> impl Iterator<Item = StepKey> {
        let is_open = |step: &StepState| step.stored && !step.status.is_terminal();
        (0..).zip(&self.steps).flat_map(move |(n, step)| {
            let items = (0..).zip(&step.items);
            let items = items.filter(move |(_, item)| is_open(item));
            let items = items.map(move |(i, _)| StepKey::item(n, i));
            is_open(step)
                .then_some(StepKey::step(n))
                .into_iter()
                .chain(items)
        })
    }

    /// Notes that the rows of these steps were committed.
    pub fn mark_stored(&mut self, keys: &[StepKey]) {
        for &key in keys {
            if let Some(step) = self.find_mut(key) {
                step.stored = true;
            }
        }
    }

    /// Changes the status. The one place that does, within a generation.
    pub(crate) fn set(&mut self, next: RunStatus) {
        if self.status == next && !next.is_terminal() {
            return;
        }
        debug_assert!(
            self.status.may_become(next),
            "a run may not go from {} to {}",
            self.status.as_str(),
            next.as_str()
        );
        if matches!(next, RunStatus::Waiting | RunStatus::Paused) {
            self.rested_at = self.seen;
        }
        self.status = next;
        self.header.status = next;
    }
}
