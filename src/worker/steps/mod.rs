//! What an attempt does: one file per step type that calls code or services outside the engine.
//! The step types that only compute are decided in the workflow crate and never come here.
//!
//! An attempt holds nothing of its run's driver: dropping its future is all there is to aborting it.

mod agent;
mod http;
mod origin;
mod reading;
mod task;

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ::http::{HeaderMap, HeaderName, HeaderValue};
use futures::FutureExt;
use stepwell_queue::Store;
use stepwell_workflow::retry::RetryPolicy;
use stepwell_workflow::{Attempt, Call, Failure, Outcome};

use super::metrics::Metrics;
use super::outbound::Outbound;
use super::outbound::sockets::SHORTAGE;
use super::seats::Seats;
use super::tasks::Registry;
pub(super) use agent::authenticate;
pub(crate) use origin::Origin;

/// What every attempt of a worker shares.
#[derive(Debug)]
pub(crate) struct Steps {
    pub(crate) store: Store,
    pub(crate) outbound: Outbound,
    pub(crate) tasks: Registry,
    pub(crate) seats: Seats,
    /// Of an attempt whose step and agent set none.
    pub(crate) timeout: Duration,
    /// Where agents reach the API, without a slash at the end.
    pub(crate) public_url: String,
    pub(crate) metrics: Arc<Metrics>,
}

/// An attempt that was begun.
pub(crate) enum Begun {
    /// It ended at once.
    Landed(Outcome),
    InFlight(InFlight),
}

/// An attempt that goes on when polled.
pub(crate) struct InFlight {
    pub(crate) running: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    /// Where it leaves its agent's policy as soon as that is known; of an agent's call only.
    pub(crate) agent_policy: Option<AgentPolicy>,
}

/// An agent's policy, once it is known, and whether its call waits for a seat: then nothing has begun.
#[derive(Clone, Debug, Default)]
pub(crate) struct AgentPolicy(Arc<Known>);

#[derive(Debug, Default)]
struct Known {
    policy: OnceLock<Arc<RetryPolicy>>,
    waits: AtomicBool,
}

impl AgentPolicy {
    pub(crate) fn get(&self) -> Option<Arc<RetryPolicy>> {
        self.0.policy.get().map(Arc::clone)
    }

    /// Says whether the call waits for a seat.
    pub(crate) fn is_waiting(&self) -> bool {
        self.0.waits.load(Ordering::Relaxed)
    }

    fn is(&self, policy: &Arc<RetryPolicy>) {
        self.0.policy.get_or_init(|| Arc::clone(policy));
    }

    fn waits(&self, waits: bool) {
        self.0.waits.store(waits, Ordering::Relaxed);
    }
}

impl Steps {
    /// Begins an attempt.
    pub(crate) fn begin(self: &Arc<Self>, origin: &Arc<Origin>, attempt: Attempt) -> Begun {
        match &attempt.call {
            Call::Task { .. } => self.begin_task(origin, attempt),
            Call::Http { .. } => {
                let (steps, origin) = (Arc::clone(self), Arc::clone(origin));
                let called = async move { steps.call_http(&origin, &attempt).await };
                Begun::InFlight(InFlight {
                    running: Box::pin(unpanicked(called)),
                    agent_policy: None,
                })
            }
            Call::External { .. } => Begun::Landed(failed(Failure::fatal(
                "external",
                "external work is polled for, not made by a worker",
            ))),
            Call::Agent { agent, input } => {
                let (steps, origin) = (Arc::clone(self), Arc::clone(origin));
                let (agent, input) = (Arc::clone(agent), Arc::clone(input));
                let policy = AgentPolicy::default();
                let known = policy.clone();
                let called = async move {
                    let called = steps.call_agent(&origin, &attempt, &agent, &input, &known);
                    called.await
                };
                Begun::InFlight(InFlight {
                    running: Box::pin(unpanicked(called)),
                    agent_policy: Some(policy),
                })
            }
        }
    }

    /// Tells an agent, where it wants to hear it, that a run no longer waits for its answer. Best
    /// effort: the agent may be gone, and nobody waits for this.
    pub(crate) async fn tell_aborted(&self, origin: &Origin, agent: &str) {
        agent::tell_aborted(self, origin, agent).await;
    }
}

/// Makes a panic the failure of its attempt alone.
async fn unpanicked(attempt: impl Future<Output = Outcome>) -> Outcome {
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => failed(Failure::fatal("panic", said(panic.as_ref()))),
    }
}

/// Returns what a panic said.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("the attempt panicked: {}", text.unwrap_or("without a word"))
}

/// Headers that hold credentials as a rule: what comes back of them is masked.
const CREDENTIALS: [&str; 3] = ["authorization", "cookie", "x-api-key"];

/// Sets a header.
pub(in crate::worker) fn put(
    headers: &mut HeaderMap,
    name: &str,
    value: &str,
) -> Result<(), Failure> {
    let bad = |what: &str| {
        Failure::fatal(
            "invalid_request",
            format!(
                "the header `{name}` cannot be sent: its {what} has characters that HTTP does not allow"
            ),
        )
    };
    let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad("name"))?;
    let mut value = HeaderValue::from_str(value).map_err(|_| bad("value"))?;
    value.set_sensitive(CREDENTIALS.contains(&key.as_str()));
    headers.insert(key, value);
    Ok(())
}

/// Returns a failure that came without an answer. A shortage of this process is none of the attempt.
fn failed(failure: Failure) -> Outcome {
    if failure.kind == SHORTAGE {
        return Outcome::Busy { failure };
    }
    Outcome::Failed {
        failure,
        status: None,
        retry_after: None,
    }
}

#[cfg(test)]
mod tests;
