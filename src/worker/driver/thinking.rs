//! Decides what follows: at once where that is cheap, else apart from everything else.
//!
//! Nearly every decision takes microseconds and is made on the spot. Expressions that take more than
//! [`EXPRESSION_COST_INLINE`](stepwell_workflow::limits::EXPRESSION_COST_INLINE) units between two
//! waits leave their step as it was, and it is decided again with all that a step may take: by one of
//! few runs at a time, on a thread that gives its other tasks away first, so that neither the heartbeat
//! nor other runs wait for it, and for a limited time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use stepwell_queue::{Apart, clock};
use stepwell_workflow::{Allowance, Decision, Event, payload};
use tokio_util::task::AbortOnDropHandle;

use super::{Driver, ROWS_PER_COMMIT};

/// Runs of one process that think at length at once: more would only share the same cores, which all
/// other work needs as well.
const THINKERS_MAX: usize = 2;
/// How long the expressions of one step may take: all that they may cost takes a second or two, also
/// where a machine has other things to do.
const THOUGHT_MAX: Duration = Duration::from_secs(20);

/// Every run gets its turn.
static THINKERS: Apart = Apart::new(THINKERS_MAX, usize::MAX);

/// Calls what goes through a run's data, apart where that is large.
pub(super) async fn by_size<T>(data: &Value, call: impl FnOnce() -> T) -> T {
    if payload::is_large(data) {
        THINKERS.call(call).await
    } else {
        call()
    }
}

impl Driver {
    /// Takes in an event and notes what was decided.
    pub(super) fn take_in(&mut self, event: Event) {
        // What waits to be decided apart comes first.
        let spent = if self.apart { u64::MAX } else { self.spent };
        let allowance = Allowance::inline(spent);
        let now = clock::now();
        let decision = self.state.advance_within(&self.plan, event, now, allowance);
        self.note(decision);
    }

    /// Decides what one call left, and lets others have the thread in between.
    pub(super) async fn decide_the_rest(&mut self) {
        while std::mem::take(&mut self.more) {
            if std::mem::take(&mut self.apart) {
                // Boxed: few runs ever come here, and all would carry its room.
                Box::pin(self.think_apart()).await;
            } else {
                self.take_in(Event::Tick);
            }
            if self.undone.touched.len() >= ROWS_PER_COMMIT {
                return;
            }
            tokio::task::yield_now().await;
            self.spent = 0;
        }
        self.apart = false;
    }

    async fn think_apart(&mut self) {
        let stop = Arc::new(AtomicBool::new(false));
        let (state, plan) = (&mut self.state, &self.plan);
        let think = || {
            // From when its turn has come.
            let _watch = watch(Arc::clone(&stop));
            let allowance = Allowance::until(stop);
            state.advance_within(plan, Event::Tick, clock::now(), allowance)
        };
        let decision = THINKERS.call(think).await;
        self.note(decision);
        // It was not spent in between other work.
        self.spent = 0;
    }

    pub(super) fn note(&mut self, decision: Decision) {
        let undone = &mut self.undone;
        undone.must |= decision.commit_first;
        self.more |= decision.more;
        self.apart |= decision.apart;
        self.spent = self.spent.saturating_add(decision.spent);
        if undone.records.is_empty() {
            undone.records = decision.records;
        } else {
            undone.records.extend(decision.records);
        }
        undone.touched.extend(decision.touched);
        if !decision.effects.is_empty() {
            self.idle_ticks = 0;
        }
        for effect in decision.effects {
            self.act(effect);
        }
    }
}

/// Says when the time for a thought is over.
fn watch(stop: Arc<AtomicBool>) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::time::sleep(THOUGHT_MAX).await;
        stop.store(true, Ordering::Relaxed);
    }))
}
