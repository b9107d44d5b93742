//! What this process remembers of workflows: compiled versions, and which version is the latest.

use std::sync::Arc;
use std::time::Duration;

use stepwell_workflow::Plan;
use uuid::Uuid;

use super::PlannedVersion;
use crate::memory::Memory;

/// Bytes of definition text whose plans are kept; a plan takes a few times its text.
const PLAN_TEXT_BYTES_MAX: u64 = 64 << 20;
/// Names whose latest version is kept: names come from outside, so their number is bounded.
const HEADS_MAX: u64 = 10_000;
/// How long the latest version is believed without a hint.
const HEAD_TTL: Duration = Duration::from_secs(5);

/// A compiled version with its workflow's slug, which never changes.
#[derive(Clone, Debug)]
pub(super) struct Compiled {
    pub(super) workflow_name: Arc<str>,
    pub(super) plan: Arc<Plan>,
    pub(super) text_bytes: u32,
}

impl Compiled {
    pub(super) fn version(self, workflow_id: Uuid, version: i32) -> PlannedVersion {
        PlannedVersion {
            workflow_id,
            workflow_name: self.workflow_name,
            version,
            active: true,
            plan: self.plan,
        }
    }
}

/// Where a workflow stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) workflow_id: Uuid,
    pub(super) latest: i32,
    pub(super) active: bool,
}

/// Shared by all clones of a [`crate::Store`].
#[derive(Debug)]
pub(crate) struct Cache {
    pub(super) plans: Memory<(Uuid, i32), Compiled>,
    /// By slug or id.
    pub(super) heads: Memory<String, Head>,
}

impl Default for Cache {
    fn default() -> Self {
        let plans = moka::future::Cache::builder()
            .max_capacity(PLAN_TEXT_BYTES_MAX)
            .weigher(|_, compiled: &Compiled| compiled.text_bytes);
        let heads = moka::future::Cache::builder()
            .max_capacity(HEADS_MAX)
            .time_to_live(HEAD_TTL);
        Self {
            plans: Memory::new(plans.build()),
            heads: Memory::new(heads.build()),
        }
    }
}

impl Cache {
    /// Forgets which versions are the latest.
    pub(crate) fn forget_heads(&self) {
        self.heads.forget();
    }
}
