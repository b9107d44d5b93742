//! Attempts that are made elsewhere: each has a row of its own for as long as it is put up or made.
//!
//! The commit of the run's driver puts it up, in the transaction in which the step begins to wait
//! ([`put_up`]). A worker of its queue takes it ([`claim`]) and makes it; its result becomes a message
//! to the run in the statement that deletes the row, fenced by the worker's own row ([`report`]). A row
//! that is gone was recalled: whoever makes the attempt drops it. The rows of dead workers are put up
//! again ([`free`]). Work that is polled for from outside lies in the same table (`crate::external`).

mod claim;
mod free;
mod put_up;
mod report;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stepwell_workflow::retry::RetryPolicy;
use stepwell_workflow::{Attempt, Failure, Outcome, StepKey, Time};
use uuid::Uuid;

use std::sync::Arc;
use std::time::Duration;

pub use claim::{Detached, Taken};
pub(crate) use free::free;
pub(crate) use put_up::{DetachedRows, PutUpRow, write};

/// Where an attempt is put up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PutUpOn {
    /// For the workers of a queue.
    Queue,
    /// For whoever polls.
    Topic,
}

impl PutUpOn {
    /// The word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Topic => "external",
        }
    }

    pub(crate) fn read(word: &str) -> Option<Self> {
        [Self::Queue, Self::Topic]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

/// An attempt that others are to make, and what they need for it.
#[derive(Debug)]
pub struct PutUp {
    pub attempt: Attempt,
    pub on: PutUpOn,
    /// The queue or the topic.
    pub lane: Arc<str>,
    /// Whether it may be made once at most.
    pub once: bool,
    /// The run's slug.
    pub workflow: Arc<str>,
    pub request_id: Option<String>,
    pub traceparent: Option<String>,
}

/// Names one attempt of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    pub run_id: Uuid,
    pub key: StepKey,
    pub generation: i32,
    pub attempt: u32,
}

/// What an attempt came to that was made elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub key: StepKey,
    pub generation: i32,
    pub attempt: u32,
    /// The policy of the agent that was called, where it is known.
    pub agent_policy: Option<Arc<RetryPolicy>>,
    pub outcome: Outcome,
}

/// A report as it is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    step: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<u32>,
    generation: i32,
    attempt: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent_policy: Option<Arc<RetryPolicy>>,
    #[serde(flatten)]
    outcome: StoredOutcome,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum StoredOutcome {
    Completed {
        #[serde(default)]
        output: Value,
    },
    Failed {
        failure: Failure,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    TimedOut {
        after_ms: u64,
    },
    Detached {
        until: Time,
    },
    Busy {
        failure: Failure,
    },
}

impl Report {
    /// Makes the report of a failure.
    pub(crate) fn failed(place: Place, failure: Failure) -> Self {
        Self {
            key: place.key,
            generation: place.generation,
            attempt: place.attempt,
            agent_policy: None,
            outcome: Outcome::Failed {
                failure,
                status: None,
                retry_after: None,
            },
        }
    }

    /// Writes it as the payload of a message.
    pub(crate) fn to_json(&self) -> String {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let outcome = match self.outcome.clone() {
            Outcome::Completed(output) => StoredOutcome::Completed { output },
            Outcome::Failed {
                failure,
                status,
                retry_after,
            } => StoredOutcome::Failed {
                failure,
                status,
                retry_after_ms: retry_after.map(ms),
            },
            Outcome::TimedOut { after } => StoredOutcome::TimedOut {
                after_ms: ms(after),
            },
            Outcome::Detached { until } => StoredOutcome::Detached { until },
            Outcome::Busy { failure } => StoredOutcome::Busy { failure },
        };
        let stored = Stored {
            step: self.key.step,
            item: self.key.item,
            generation: self.generation,
            attempt: self.attempt,
            agent_policy: self.agent_policy.clone(),
            outcome,
        };
        // These types have string keys and nothing that can fail.
        serde_json::to_string(&stored).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Reads a payload.
    pub(crate) fn of_json(payload: &str) -> Result<Self, String> {
        let stored: Stored = serde_json::from_str(payload).map_err(|error| error.to_string())?;
        let outcome = match stored.outcome {
            StoredOutcome::Completed { output } => Outcome::Completed(output),
            StoredOutcome::Failed {
                failure,
                status,
                retry_after_ms,
            } => Outcome::Failed {
                failure,
                status,
                retry_after: retry_after_ms.map(Duration::from_millis),
            },
            StoredOutcome::TimedOut { after_ms } => Outcome::TimedOut {
                after: Duration::from_millis(after_ms),
            },
            StoredOutcome::Detached { until } => Outcome::Detached { until },
            StoredOutcome::Busy { failure } => Outcome::Busy { failure },
        };
        Ok(Self {
            key: StepKey {
                step: stored.step,
                item: stored.item,
            },
            generation: stored.generation,
            attempt: stored.attempt,
            agent_policy: stored.agent_policy,
            outcome,
        })
    }
}

/// Returns the step and the item of a key as columns.
pub(crate) fn place(key: StepKey) -> (i16, i32) {
    // STEPS_MAX is 1,000 and MAP_ITEMS_MAX is 10,000.
    let step = i16::try_from(key.step).unwrap_or(i16::MAX);
    let item = key
        .item
        .map_or(-1, |item| i32::try_from(item).unwrap_or(i32::MAX));
    (step, item)
}

/// Returns the key that these columns hold.
pub(crate) fn key(step: i16, item: i32) -> StepKey {
    StepKey {
        step: u16::try_from(step).unwrap_or(u16::MAX),
        item: u32::try_from(item).ok(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn every_report_survives_its_storage() {
        let outcomes = [
            Outcome::Completed(Value::Null),
            Outcome::Completed(serde_json::json!({"a": [1.5, "\u{0}"]})),
            Outcome::Failed {
                failure: Failure::retryable("agent_error", "no"),
                status: Some(503),
                retry_after: Some(Duration::from_secs(2)),
            },
            Outcome::TimedOut {
                after: Duration::from_millis(7),
            },
            Outcome::Detached {
                until: Time::from_timestamp(1_800_000_000, 0).unwrap(),
            },
        ];
        for (n, outcome) in (0..).zip(outcomes) {
            let report = Report {
                key: StepKey {
                    step: 3,
                    item: (n > 1).then_some(n),
                },
                generation: 2,
                attempt: 1,
                agent_policy: (n == 0).then(|| Arc::new(RetryPolicy::once())),
                outcome,
            };
            assert_eq!(Report::of_json(&report.to_json()), Ok(report));
        }
        assert!(Report::of_json("{}").is_err());
    }
}
