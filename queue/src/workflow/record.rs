//! What audit records show of workflows, and the word to other processes that one changed.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::Store;

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "workflow";

/// What of a workflow an audit record shows: enough to find the content again.
pub(super) fn shown(version: i32, content_hash: &str, active: bool) -> Value {
    json!({
        "version": version,
        "content_hash": content_hash,
        "status": super::status_word(active),
    })
}

impl Store {
    /// Tells this process at once, and the others by a hint, that a workflow changed.
    pub(super) fn workflow_changed(&self, id: Uuid) {
        self.workflows.forget_heads();
        self.announce_changed(ENTITY, id);
    }
}
