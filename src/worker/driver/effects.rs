//! What `advance` wants done: at once where it needs no commit, else noted for after the next one.

use std::sync::Arc;

use stepwell_queue::Actor;
use stepwell_queue::inbox::Word;
use stepwell_workflow::{Effect, StepKey};

use super::Driver;

impl Driver {
    /// Does at once what needs no commit, and notes the rest for after it.
    pub(super) fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Start(attempt) if self.undone.must => self.undone.starts.push(attempt),
            Effect::Start(attempt) => self.launch(attempt),
            Effect::Abort(key) => self.abort(key),
            Effect::Forget(key) => drop(self.forget(key)),
            Effect::Detach {
                attempt,
                queue,
                once,
            } => self.put_up(attempt, queue, once),
            Effect::Recall(key) => self.recall(key),
            Effect::StartChild(wanted) => self.wanted.push_back(wanted),
            Effect::CancelChild { run_id, reason } => {
                if !self.call_off(run_id) {
                    self.cancel_child(run_id, reason);
                }
            }
        }
    }

    /// Leaves a child out that was to begin with the next commit; `false` when it has begun.
    fn call_off(&mut self, child: uuid::Uuid) -> bool {
        let to_begin = self.wanted.len() + self.undone.children.len();
        self.wanted.retain(|wanted| wanted.run_id != child);
        self.undone.children.retain(|run| run.id != child);
        self.wanted.len() + self.undone.children.len() < to_begin
    }

    fn cancel_child(&mut self, run_id: uuid::Uuid, reason: String) {
        let word = Word::Cancel {
            reason: Some(reason),
        };
        let actor = Actor {
            name: format!("run:{}", self.origin.run_id),
            request_id: Some(self.origin.request_id.clone()),
            traceparent: None,
        };
        self.undone.must = true;
        self.undone.messages.push((run_id, word, actor));
    }

    pub(super) fn launch(&mut self, attempt: stepwell_workflow::Attempt) {
        let steps = &self.context.steps;
        if let Some(landed) = self.flights.launch(steps, &self.origin, attempt) {
            self.landed.push_back(landed);
        }
    }

    fn abort(&mut self, key: StepKey) {
        if let Some(agent) = self.forget(key) {
            self.owe_word(agent);
        }
    }

    /// Drops an attempt; returns its agent, if it was calling one.
    pub(super) fn forget(&mut self, key: StepKey) -> Option<Arc<str>> {
        self.undone.starts.retain(|attempt| attempt.key != key);
        self.landed.retain(|landed| landed.key != key);
        self.flights.abort(key)
    }

    /// Notes that an agent is to hear that nobody waits for it.
    pub(super) fn owe_word(&mut self, agent: Arc<str>) {
        if !self.aborted.contains(&agent) {
            self.aborted.push(agent);
        }
    }
}
