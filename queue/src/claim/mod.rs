//! A worker takes jobs, and all that it needs to drive them, in one statement where it can.
//!
//! [`floor`] decides from where the queue is read (D7), [`take`] holds the statement, [`limit`] keeps it
//! within what a queue allows, [`load`]
//! reads steps and messages of runs that were begun before, [`desk`] is the loop, [`occasion`] what it
//! waits for, [`buffer`] what it fills, [`hopeless`] sees to jobs that no driver can take up.

pub(crate) mod buffer;
pub(crate) mod desk;
mod floor;
mod hopeless;
mod limit;
pub(crate) mod load;
mod occasion;
mod take;

use stepwell_workflow::{RunHeader, StepSnapshot};

use crate::Message;

/// A run whose job this worker now holds.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub header: RunHeader,
    /// For each step the row of its newest generation; empty for a fresh run.
    pub steps: Vec<StepSnapshot>,
    /// The inbox, in order.
    pub messages: Vec<Message>,
    /// Workers that died while they held it.
    pub deaths: u16,
    pub queue: std::sync::Arc<str>,
    /// Of the request that made the run.
    pub request_id: Option<String>,
    /// The trace that this request belongs to.
    pub traceparent: Option<String>,
}
