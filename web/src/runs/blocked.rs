//! What a run or a step waits for.

use salvo::oapi::ToSchema;
use serde::Serialize;
use stepwell_queue::run;

use crate::moment::Moment;

/// What a run or a step waits for.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "BlockedOn"))]
pub struct BlockedOn {
    /// `delay`, `signal`, `approval`, `child`, `retry`, `agent` (it takes no more calls at once),
    /// `queue` (no worker has taken the attempt yet), `external` (nobody has reported its result), `callback`
    /// (nor has its agent), `paused`; of a run also `run_at` and `concurrency`, of a step `items`.
    pub kind: String,
    pub since: Option<Moment>,
    /// Null: until somebody acts.
    pub until: Option<Moment>,
    /// The step's name, the signal's name, the topic, the queue, the child's id or the concurrency key.
    pub detail: Option<String>,
}

impl From<run::Blocked> for BlockedOn {
    fn from(blocked: run::Blocked) -> Self {
        Self {
            kind: blocked.kind,
            since: Some(blocked.since.into()),
            until: blocked.until.map(Moment::from),
            detail: blocked.detail,
        }
    }
}
