//! Runs as they are read: what a run is now, its steps, its trail, and its end when it comes.
//!
//! The run row says how a run began and how it ended; between the two its job row says where it
//! stands. Every read takes both in one statement, hence in one snapshot, so that a run is never
//! seen between the two.

pub(crate) mod bounds;
mod ends;
mod get;
mod list;
mod report;
mod standing;
mod steps;
mod trail;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use stepwell_workflow::{RunStatus, Time};
use uuid::Uuid;

pub use ends::EndWait;
pub(crate) use ends::Ends;
pub use list::{RunFilter, RunPage};
pub use report::{Durations, ItemsReport, Report, StepReport, VALUES_MAX};
pub use standing::Blocked;
pub use steps::{RunStep, StepPage, StepPlace};
pub use trail::{TrailEnd, TrailPage, TrailRecord};

/// A run as it stands.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: Uuid,
    pub workflow_id: Uuid,
    /// The slug at the time.
    pub workflow_name: String,
    pub version: i32,
    pub status: RunStatus,
    /// Of a run that is waiting or paused.
    pub blocked_on: Option<Blocked>,
    pub input: Option<Box<RawValue>>,
    pub output: Option<Box<RawValue>>,
    pub error: Option<Box<RawValue>>,
    pub labels: BTreeMap<String, String>,
    pub priority: i16,
    pub queue: String,
    pub generation: i32,
    pub parent_id: Option<Uuid>,
    /// The run that it was forked from or that it appeals.
    pub forked_from: Option<Uuid>,
    pub created_at: Time,
    pub started_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub triggered_by: String,
    pub cancelled_by: Option<String>,
    pub cancel_reason: Option<String>,
    pub steps_total: i32,
    /// Steps that are over; the items of maps are not counted.
    pub steps_done: i64,
}
