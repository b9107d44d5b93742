//! Workers as clients see them.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::Serialize;
use serde_json::{Value, json};
use stepwell_queue::worker::Member;
use uuid::Uuid;

use crate::example::Example;
use crate::moment::Moment;

/// One registration of a worker: a process that starts anew has a new one.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Worker"))]
pub struct Worker {
    pub id: Uuid,
    /// For people; by default the host's name.
    pub name: String,
    pub version: String,
    /// `alive`, `draining` (takes no more runs), `dead` (silent for too long) or `gone`.
    pub status: String,
    /// The queues it takes runs from, in order of preference.
    pub queues: Vec<String>,
    /// Runs it may hold at once.
    pub slots: i32,
    /// Runs it holds now; of a dead one, those that are not freed yet.
    pub running: i32,
    /// Runs taken up in a second, by queue, smoothed over about a minute.
    pub rates: BTreeMap<String, f64>,
    pub started_at: Moment,
    pub last_seen_at: Moment,
    /// When it left, or was held for dead.
    pub ended_at: Option<Moment>,
    /// How far its host's clock is ahead of the database's in milliseconds, as of `last_seen_at`; null: not
    /// known yet. Nothing is timed by it.
    pub clock_skew_ms: Option<i32>,
}

impl From<Member> for Worker {
    fn from(worker: Member) -> Self {
        let rounded = |rate: f64| (rate * 1_000.0).round() / 1_000.0;
        Self {
            id: worker.id,
            name: worker.name,
            version: worker.version,
            status: worker.status,
            queues: worker.queues,
            slots: worker.slots,
            running: worker.running,
            rates: worker
                .rates
                .into_iter()
                .map(|(queue, rate)| (queue, rounded(rate)))
                .collect(),
            started_at: worker.registered_at.into(),
            last_seen_at: worker.seen_at.into(),
            ended_at: worker.ended_at.map(Moment::from),
            clock_skew_ms: worker.clock_skew_ms,
        }
    }
}

impl Example for Worker {
    fn example() -> Value {
        json!({
            "id": "0199b6cf-7d10-7b44-8a6e-0c1d2e3f4a5b", "name": "worker-7c9f", "version": "0.1.0",
            "status": "alive", "queues": ["default"], "slots": 1000, "running": 212,
            "rates": {"default": 84.3}, "started_at": "2026-03-01T11:58:00.000Z",
            "last_seen_at": "2026-03-01T12:00:00.000Z", "ended_at": null, "clock_skew_ms": 3,
        })
    }
}
