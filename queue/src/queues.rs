//! Queues as an operator sees and steers them.
//!
//! A queue is a word that runs and workers share; it needs no registration. The table `queue` holds
//! only what somebody decided about one: that it is paused, or how many of its runs may be leased at
//! once. [`change`] decides, [`rules`] is what a claim heeds of it, [`list`] tells how they stand.

mod change;
mod list;
pub(crate) mod rules;

use stepwell_workflow::Time;

use crate::depth::Depth;

pub use change::Turned;

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "queue";

/// A queue as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Queue {
    pub name: String,
    /// Nothing is claimed from it since then.
    pub paused_at: Option<Time>,
    pub paused_by: Option<String>,
    /// How many of its runs may be leased at once, over all workers; `None`: as many as there are
    /// slots.
    pub max_running: Option<i32>,
    /// What lies in it.
    pub depth: Depth,
    /// Runs taken up in a second, lately, by all workers.
    pub rate: f64,
    /// Live workers that take from it.
    pub workers: u32,
}
