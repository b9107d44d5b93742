//! What may happen to a run, in words.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::driver::Driver;
use crate::retry::RetryPolicy;
use crate::{Event, Failure, Outcome};

impl Driver {
    /// Lets time pass.
    pub(super) fn pass(&mut self, seconds: i64) {
        self.now += TimeDelta::seconds(seconds);
        self.feed(Event::Tick);
    }

    pub(super) fn end(&mut self, name: &str, outcome: Outcome) {
        self.end_at(name, None, outcome);
    }

    /// Ends a call of an agent with this policy.
    pub(super) fn end_at(
        &mut self,
        name: &str,
        agent_policy: Option<Arc<RetryPolicy>>,
        outcome: Outcome,
    ) {
        let key = self.key(name);
        let attempt = self.calls.remove(&key);
        let attempt = attempt.unwrap_or_else(|| panic!("{name} is in flight"));
        self.feed(Event::Outcome {
            key,
            attempt: attempt.attempt,
            agent_policy,
            outcome,
        });
    }

    pub(super) fn done(&mut self, name: &str) {
        self.end(name, Outcome::Completed(json!(format!("{name} done"))));
    }

    /// Fails with what another attempt may mend.
    pub(super) fn trips(&mut self, name: &str) {
        self.end(name, failed(Failure::retryable("task_error", "it tripped")));
    }

    /// Fails for good.
    pub(super) fn breaks(&mut self, name: &str) {
        self.end(name, failed(Failure::fatal("task_error", "it broke")));
    }

    pub(super) fn times_out(&mut self, name: &str) {
        let after = Duration::from_secs(5);
        self.end(name, Outcome::TimedOut { after });
    }

    pub(super) fn signal(&mut self, name: &str, payload: Value) {
        self.feed(Event::Signal {
            name: name.to_owned(),
            payload,
            actor: "tester".to_owned(),
            request_id: None,
        });
    }

    pub(super) fn cancel(&mut self) {
        self.feed(Event::Cancel {
            reason: Some("enough".to_owned()),
            actor: "tester".to_owned(),
            request_id: Some("r1".to_owned()),
        });
    }

    pub(super) fn pause(&mut self) {
        self.feed(Event::Pause {
            actor: "tester".to_owned(),
            request_id: None,
        });
    }

    pub(super) fn resume(&mut self) {
        self.feed(Event::Resume {
            actor: "tester".to_owned(),
            request_id: None,
        });
    }
}

pub(super) fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        failure,
        status: None,
        retry_after: None,
    }
}
