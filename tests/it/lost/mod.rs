//! One process that is lost at any statement must never stop the others.
//!
//! Lost: stopped in the middle (SIGSTOP, a paused machine), or cut off from the answer to what it asked.
//! The acts make real processes send what they can send; the walk then loses one at each statement in turn.

mod acts;
mod cases;
mod frozen;
mod named;
mod pooled;
mod stage;
mod statements;
mod survey;
mod unanswered;
mod walk;

use std::time::Duration;

/// How often a worker says that it lives, in these tests.
const HEARTBEAT: Duration = Duration::from_millis(500);
const DEAD_AFTER: Duration = Duration::from_millis(3_000);
/// Nobody holds up the others for longer.
const HOLD_UP_MAX: Duration = Duration::from_secs(10);
/// What a machine on which many tests run may add to any bound.
const BUSY: Duration = Duration::from_secs(2);
/// Heartbeats are never later than this.
const BEAT_MAX: Duration = HEARTBEAT.saturating_mul(2);
const SETTINGS: &[(&str, &str)] = &[
    ("STEPWELL_WORKER_HEARTBEAT_MS", "500"),
    ("STEPWELL_WORKER_DEAD_AFTER_MS", "3000"),
    ("STEPWELL_WORKER_POLL_MS", "200"),
    ("STEPWELL_WORKER_QUEUES", "default,gpu,narrow"),
    ("STEPWELL_GRACE_SECONDS", "3"),
    ("STEPWELL_RETENTION_DAYS", "30"),
    ("STEPWELL_AUDIT_RETENTION_DAYS", "30"),
];
