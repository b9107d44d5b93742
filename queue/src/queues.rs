//! Queues as an operator sees and steers them.
//!
//! A queue is a word that runs and workers share; it needs no registration. The table `queue` holds
//! only what somebody decided about one: that it is paused, or how many of its runs may be leased at
//! once. [`change`] decides, [`rules`] is what a claim heeds of it, [`list`] tells how they stand.

mod change;
mod list;
pub(crate) mod rules;

use stepwell_workflow::Time;

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
    /// Due, and waiting for a worker.
    pub ready: u64,
    /// To come later.
    pub timed: u64,
    /// Held by workers.
    pub leased: u64,
    /// Waiting for a message.
    pub parked: u64,
    /// When the oldest due job was created or became due.
    pub oldest_due: Option<Time>,
    /// The four numbers come from a sample.
    pub estimated: bool,
    /// Runs taken up in a second, lately, by all workers.
    pub rate: f64,
    /// Live workers that claim from it.
    pub workers: u32,
}
