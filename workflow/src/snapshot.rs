//! What of a run is kept: enough to make the same [`crate::RunState`] again after a crash.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::{Failure, RunStatus, StepStatus, Time};

/// The run row as the driver needs it.
#[derive(Clone, Debug)]
pub struct RunHeader {
    pub id: Uuid,
    pub workflow_id: Uuid,
    pub workflow_name: Arc<str>,
    pub version: i32,
    pub generation: i32,
    pub status: RunStatus,
    pub input: Arc<Value>,
    pub created_at: Time,
    /// When the first driver took it in this generation.
    pub started_at: Option<Time>,
    /// The run's own timeout, if `execute` gave one; it replaces the definition's.
    pub timeout_ms: Option<i64>,
    /// The number of the last audit record of this run.
    pub sequence: i64,
    pub paused: bool,
    pub parent: Option<Parent>,
}

/// Who waits for this run's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    pub run_id: Uuid,
    pub key: crate::StepKey,
    pub generation: i32,
}

/// The row of a step (or of an item of a map) in one generation.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSnapshot {
    pub key: crate::StepKey,
    /// `score` or `score[17]`.
    pub name: String,
    /// The definition's word for its type, `agent`, `webhook`, … (of the inner step for an item).
    pub kind: &'static str,
    pub generation: i32,
    pub status: StepStatus,
    /// The last attempt begun, from 1; 0 when none was. For a map, the generation in which its
    /// items were listed.
    pub attempt: u32,
    pub max_attempts: u32,
    /// What the attempt was given; for a map, its list.
    pub input: Option<Arc<Value>>,
    /// What it came to; for a `wait` that has not begun, the signal that came early.
    pub output: Option<Arc<Value>>,
    pub error: Option<Failure>,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    /// When a delay, a backoff or a wait's patience ends.
    pub wake_at: Option<Time>,
    pub child_run_id: Option<Uuid>,
}
