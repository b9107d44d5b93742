//! A run that is to be: checked by the caller, ready to be written.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::value::RawValue;
use stepwell_workflow::Time;
use stepwell_workflow::snapshot::Parent;
use uuid::Uuid;

use crate::Actor;
use crate::place::Claim;
use crate::workflow::PlannedVersion;

/// The queue of runs that name none.
pub const DEFAULT_QUEUE: &str = "default";

/// A run to be enqueued. Its workflow, version and input are already checked.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// UUIDv7, made by the caller at `created_at`.
    pub id: Uuid,
    pub workflow_id: Uuid,
    /// The slug.
    pub workflow_name: Arc<str>,
    pub version: i32,
    pub steps_total: i32,
    pub input: Arc<RawValue>,
    pub queue: Arc<str>,
    /// −100 … 100, the highest is next.
    pub priority: i16,
    pub run_at: Option<Time>,
    pub timeout_ms: Option<i64>,
    pub labels: BTreeMap<String, String>,
    pub dedupe_key: Option<String>,
    /// Where its end is told; needs a master key, which signs it.
    pub callback_url: Option<String>,
    pub parent: Option<Parent>,
    /// The place that the run needs; of a workflow with `concurrency` only.
    pub place: Option<Claim>,
    /// Whether the run's end is announced by NOTIFY, because somebody waits for it.
    pub awaited: bool,
    pub actor: Actor,
    pub created_at: Time,
    pub idempotency: Option<Idempotency>,
}

impl NewRun {
    /// A run of this version on this input, made now, with nothing that its maker has not asked for.
    #[must_use]
    pub fn of(planned: &PlannedVersion, input: Arc<RawValue>, actor: Actor) -> Self {
        Self {
            id: crate::clock::id(),
            workflow_id: planned.workflow_id,
            workflow_name: Arc::clone(&planned.workflow_name),
            version: planned.version,
            steps_total: i32::try_from(planned.plan.forward).unwrap_or(i32::MAX),
            input,
            queue: DEFAULT_QUEUE.into(),
            priority: 0,
            run_at: None,
            timeout_ms: None,
            labels: BTreeMap::new(),
            dedupe_key: None,
            callback_url: None,
            parent: None,
            place: None,
            awaited: false,
            actor,
            created_at: crate::clock::now(),
            idempotency: None,
        }
    }
}

/// An `Idempotency-Key` with the answer that is to be given again.
#[derive(Clone, Debug)]
pub struct Idempotency {
    pub scope: String,
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: Vec<u8>,
    pub answer: Answer,
}

/// A stored answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub body: Arc<RawValue>,
}
