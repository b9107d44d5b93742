//! Attempts that are made elsewhere: put up and taken back in the run's own commit. What they came to
//! arrives in the inbox.

use std::sync::Arc;

use stepwell_queue::Message;
use stepwell_queue::detached::{PutUp, PutUpOn};
use stepwell_queue::inbox::Word;
use stepwell_workflow::{Attempt, Call, Outcome, Plan, StepKey};

use super::Driver;
use crate::worker::context::{self, Context};

impl Driver {
    /// Puts an attempt up with the next commit.
    pub(super) fn put_up(&mut self, attempt: Attempt, queue: Option<Arc<str>>, once: bool) {
        let (on, lane) = match &attempt.call {
            Call::External { topic, .. } => (PutUpOn::Topic, Arc::clone(topic)),
            _ => {
                let queue = queue.unwrap_or_else(|| Arc::clone(&self.queue));
                (PutUpOn::Queue, queue)
            }
        };
        self.undone.put_up.push(PutUp {
            attempt,
            on,
            lane,
            once,
            workflow: Arc::clone(&self.origin.workflow),
            request_id: Some(self.origin.request_id.clone()),
            traceparent: Some(self.origin.traceparent()),
        });
    }

    /// Takes an attempt back with the next commit; its agent hears of it as that of an aborted one.
    pub(super) fn recall(&mut self, key: StepKey) {
        let put_up = self.undone.put_up.len();
        self.undone
            .put_up
            .retain(|put_up| put_up.attempt.key != key);
        if self.undone.put_up.len() < put_up {
            return;
        }
        if self.plan.is_detached(key) {
            self.undone.recalled.push(key);
            self.undone.must = true;
        }
        if let Some(agent) = self.plan.agent(key).map(Arc::clone) {
            self.owe_word(agent);
        }
    }
}

/// Adds the agents' policies to failures that came without: an agent that calls back does not know
/// how often it is to be called again.
pub(super) async fn add_policies(context: &Context, plan: &Plan, messages: &mut [Message]) {
    for message in messages {
        let Word::Reported(report) = &mut message.word else {
            continue;
        };
        if report.agent_policy.is_some() || !matches!(report.outcome, Outcome::Failed { .. }) {
            continue;
        }
        if let Some(agent) = plan.agent(report.key)
            && let Ok(Some(target)) = context::read(|| context.store.agent_target(agent)).await
        {
            report.agent_policy = Some(Arc::clone(&target.retry));
        }
    }
}
