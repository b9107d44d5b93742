//! What happens to attempts that are made elsewhere, for the interleavings.

use serde_json::json;

use super::deeds::failed;
use super::driver::{Dies, Driver};
use super::interleavings::pick;
use crate::{Event, Failure, Outcome, StepKey};

/// What a result that comes from elsewhere says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Report {
    Done,
    Trips,
    Breaks,
    CallsBackLater,
    /// Of an attempt that is over.
    Stale,
}

impl Driver {
    /// An agent answers that it calls back.
    pub(super) fn flying_detaches(&mut self, n: u8) {
        if let Some(key) = pick(n, self.calls.keys()) {
            let call = self.calls.remove(&key).unwrap();
            self.dies = Dies::Not;
            let start = (call.generation, call.attempt);
            self.store.elsewhere.insert(key, start);
            self.feed(Event::Outcome {
                key,
                attempt: call.attempt,
                agent_policy: None,
                outcome: self.later(),
            });
        }
    }

    fn later(&self) -> Outcome {
        Outcome::Detached {
            until: self.now + chrono::TimeDelta::seconds(5),
        }
    }

    /// A result comes as a message, so it is told until somebody committed what it led to.
    pub(super) fn elsewhere_ends(&mut self, n: u8, report: Report) {
        let Some(key) = pick(n, self.store.elsewhere.keys()) else {
            return;
        };
        self.dies = Dies::Not;
        let (generation, attempt) = self.store.elsewhere[&key];
        if matches!(report, Report::Stale) {
            for (generation, attempt) in [(generation - 1, attempt), (generation, attempt - 1)] {
                self.report(
                    key,
                    (generation, attempt),
                    Outcome::Completed(json!("stale")),
                );
                assert!(self.last.records.is_empty() && self.last.touched.is_empty());
            }
            return;
        }
        let outcome = match report {
            Report::Trips => failed(Failure::retryable("task_error", "it tripped")),
            Report::Breaks => failed(Failure::fatal("task_error", "it broke")),
            Report::CallsBackLater => self.later(),
            _ => Outcome::Completed(json!(3)),
        };
        if !matches!(report, Report::CallsBackLater) {
            self.store.elsewhere.remove(&key);
        }
        self.report(key, (generation, attempt), outcome);
    }

    /// The agent's result is here before the answer of its call.
    pub(super) fn calls_back_early(&mut self, n: u8) {
        if let Some(key) = pick(n, self.calls.keys()) {
            let (generation, attempt) = (self.calls[&key].generation, self.calls[&key].attempt);
            self.dies = Dies::Not;
            self.report(key, (generation, attempt), Outcome::Completed(json!(4)));
        }
    }

    fn report(&mut self, key: StepKey, (generation, attempt): (i32, u32), outcome: Outcome) {
        self.feed(Event::Reported {
            key,
            generation,
            attempt,
            agent_policy: None,
            outcome,
        });
    }
}
