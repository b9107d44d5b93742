//! Somebody cancels the run: it ends at once.

use serde_json::json;

use super::Turn;
use crate::{RunState, RunStatus};

impl RunState {
    pub(super) fn cancel(&mut self, turn: &mut Turn<'_>, reason: Option<String>) {
        if self.is_undoing() {
            return self.ignore_cancel(turn, reason.as_deref());
        }
        self.cancelled_by = turn.asker().map(str::to_owned);
        let detail = reason.as_ref().map(|reason| json!({ "reason": reason }));
        self.cancel_reason = reason;
        self.end_early(turn, RunStatus::Cancelled, None, detail);
    }
}
