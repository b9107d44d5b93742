//! What this process remembers of workflows: compiled versions, and which version is the latest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use stepwell_workflow::Plan;
use uuid::Uuid;

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
    pub(super) plans: moka::sync::Cache<(Uuid, i32), Compiled>,
    heads: moka::sync::Cache<String, Head>,
    /// Rises with every change: a head that was read before it is not kept.
    changes: AtomicU64,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            plans: moka::sync::Cache::builder()
                .max_capacity(PLAN_TEXT_BYTES_MAX)
                .weigher(|_, compiled: &Compiled| compiled.text_bytes)
                .build(),
            heads: moka::sync::Cache::builder()
                .max_capacity(HEADS_MAX)
                .time_to_live(HEAD_TTL)
                .build(),
            changes: AtomicU64::new(0),
        }
    }
}

impl Cache {
    pub(super) fn head(&self, slug_or_id: &str) -> Option<Head> {
        self.heads.get(slug_or_id)
    }

    /// Returns the count of changes, to be given to [`Cache::keep_head`] with what is read next.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::SeqCst)
    }

    /// Keeps a head, unless something changed since it was read.
    pub(super) fn keep_head(&self, slug_or_id: &str, head: Head, read_at: u64) {
        self.heads.insert(slug_or_id.to_owned(), head);
        if self.changes() != read_at {
            self.heads.invalidate(slug_or_id);
        }
    }

    /// Forgets which versions are the latest. Changes are rare, so all of them go.
    pub(crate) fn forget_heads(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.heads.invalidate_all();
    }
}
