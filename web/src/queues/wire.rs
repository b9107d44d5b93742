//! Queues as clients see them.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::queues;

use crate::example::Example;
use crate::moment::Moment;

/// A queue as it stands.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Queue"))]
pub struct Queue {
    pub name: String,
    /// `active` or `paused`: nothing is claimed from it.
    pub status: &'static str,
    pub paused_at: Option<Moment>,
    pub paused_by: Option<String>,
    /// Runs that workers may hold at once, all of them together; null: as many as they have slots.
    pub max_running: Option<i32>,
    /// Runs that are due, and attempts that are put up on it: what waits for a worker.
    pub depth: u64,
    /// Runs whose time has not come.
    pub scheduled: u64,
    /// Runs that workers hold, and attempts put up on it that they make.
    pub running: u64,
    /// Runs that wait for a signal, a child, an attempt that is made elsewhere or somebody to resume them.
    pub waiting: u64,
    /// Whether these four come from a sample, as with very many runs.
    pub counts_are_estimates: bool,
    /// Since when the oldest of what waits for a worker has been waiting.
    pub oldest_due: Option<Moment>,
    /// Runs taken up in a second, smoothed over about a minute.
    pub rate: f64,
    /// Live workers that take from it.
    pub workers: u32,
}

impl From<queues::Queue> for Queue {
    fn from(queue: queues::Queue) -> Self {
        Self {
            name: queue.name,
            status: if queue.paused_at.is_some() {
                "paused"
            } else {
                "active"
            },
            paused_at: queue.paused_at.map(Moment::from),
            paused_by: queue.paused_by,
            max_running: queue.max_running,
            depth: queue.depth.due(),
            scheduled: queue.depth.timed,
            running: queue.depth.running(),
            waiting: queue.depth.parked,
            counts_are_estimates: queue.depth.estimated,
            oldest_due: queue.depth.oldest_due.map(Moment::from),
            rate: (queue.rate * 1_000.0).round() / 1_000.0,
            workers: queue.workers,
        }
    }
}

impl Example for Queue {
    fn example() -> Value {
        json!({
            "name": "default", "status": "active", "paused_at": null, "paused_by": null,
            "max_running": 200, "depth": 17, "scheduled": 3, "running": 200, "waiting": 41,
            "counts_are_estimates": false, "oldest_due": "2026-03-01T12:00:00.000Z", "rate": 84.3,
            "workers": 2,
        })
    }
}

/// What is allowed in a queue.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "QueueLimits"))]
pub struct QueueLimits {
    /// Runs that workers may hold at once, all of them together; null: as many as they have slots.
    #[serde(deserialize_with = "Option::deserialize")]
    #[salvo(schema(minimum = 1, maximum = 1_000_000, required = true))]
    pub max_running: Option<i32>,
}

impl Example for QueueLimits {
    fn example() -> Value {
        json!({"max_running": 200})
    }
}
