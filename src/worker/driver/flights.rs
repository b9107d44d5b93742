//! The attempts that a run has in flight. Dropping this aborts them all.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use stepwell_workflow::retry::RetryPolicy;
use stepwell_workflow::{Attempt, Call, Outcome, StepKey};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;
use tracing::Instrument;

use super::LINGER;
use crate::worker::steps::{AgentPolicy, Begun, Origin, Steps};

/// What an attempt came to.
#[derive(Debug)]
pub(crate) struct Landed {
    /// Tells an attempt from an aborted one of the same step.
    flight: u64,
    pub(crate) key: StepKey,
    pub(crate) attempt: u32,
    pub(crate) agent_policy: Option<Arc<RetryPolicy>>,
    pub(crate) outcome: Outcome,
}

#[derive(Debug)]
struct Flight {
    number: u64,
    abort: AbortHandle,
    agent: Option<Arc<str>>,
    agent_policy: Option<AgentPolicy>,
}

#[derive(Debug, Default)]
pub(crate) struct Flights {
    tasks: JoinSet<Landed>,
    by_key: HashMap<StepKey, Flight>,
    /// Those that have not been shown as running, the oldest first.
    unshown: VecDeque<(Instant, StepKey, u64)>,
    launched: u64,
}

impl Flights {
    /// Begins an attempt; returns what it came to when that is known at once.
    pub(crate) fn launch(
        &mut self,
        steps: &Arc<Steps>,
        origin: &Arc<Origin>,
        attempt: Attempt,
    ) -> Option<Landed> {
        steps.metrics.attempt_started();
        let key = attempt.key;
        let number = attempt.attempt;
        let agent = match &attempt.call {
            Call::Agent { agent, .. } => Some(Arc::clone(agent)),
            _ => None,
        };
        let span = tracing::info_span!("attempt", step = %attempt.name, attempt = number);
        self.launched += 1;
        let flight = self.launched;
        let metrics = Arc::clone(&steps.metrics);
        let landed = move |outcome: Outcome, agent_policy: Option<AgentPolicy>| {
            metrics.attempt_ended(&outcome);
            tell(&outcome);
            Landed {
                flight,
                key,
                attempt: number,
                agent_policy: agent_policy.and_then(|policy| policy.get()),
                outcome,
            }
        };
        match span.in_scope(|| steps.begin(origin, attempt)) {
            Begun::Landed(outcome) => Some(span.in_scope(|| landed(outcome, None))),
            Begun::InFlight(begun) => {
                let (running, known) = (begun.running, begun.agent_policy.clone());
                let task = async move { landed(running.await, known) }.instrument(span);
                let abort = self.tasks.spawn(task);
                let flying = Flight {
                    number: flight,
                    abort,
                    agent,
                    agent_policy: begun.agent_policy,
                };
                self.by_key.insert(key, flying);
                self.unshown
                    .push_back((Instant::now() + LINGER, key, flight));
                None
            }
        }
    }

    /// Drops an attempt; returns its agent, if it was calling one.
    pub(crate) fn abort(&mut self, key: StepKey) -> Option<Arc<str>> {
        let flight = self.by_key.remove(&key)?;
        flight.abort.abort();
        flight.agent
    }

    /// Drops all attempts and names their steps, in order.
    pub(crate) fn abort_all(&mut self) -> Vec<StepKey> {
        let mut keys: Vec<StepKey> = self.by_key.keys().copied().collect();
        keys.sort_unstable();
        for key in &keys {
            self.abort(*key);
        }
        keys
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// Waits for the next attempt to end. Never ends when none is in flight.
    pub(crate) async fn next(&mut self) -> Landed {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(landed)) if self.take(&landed) => return landed,
                // Aborted, here or by the runtime's end.
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    /// Returns an attempt that has ended, if there is one.
    pub(crate) fn try_next(&mut self) -> Option<Landed> {
        loop {
            match self.tasks.try_join_next()? {
                Ok(landed) if self.take(&landed) => return Some(landed),
                _ => {}
            }
        }
    }

    /// Strikes an attempt from the list; `false` when it was aborted before.
    fn take(&mut self, landed: &Landed) -> bool {
        let current = self.by_key.get(&landed.key);
        if current.is_none_or(|flight| flight.number != landed.flight) {
            return false;
        }
        self.by_key.remove(&landed.key);
        true
    }

    /// Returns when the next attempt has lingered.
    pub(crate) fn next_linger(&mut self) -> Option<Instant> {
        while let Some(&(at, key, number)) = self.unshown.front() {
            if self.flight(key, number).is_some() {
                return Some(at);
            }
            self.unshown.pop_front();
        }
        None
    }

    /// Takes out the steps whose attempts have lingered, with the policy of the agent where it is
    /// known. A call that waits for a seat has not begun: it is looked at again.
    pub(crate) fn lingered(&mut self, now: Instant) -> Vec<(StepKey, Option<Arc<RetryPolicy>>)> {
        let mut lingered = Vec::new();
        while let Some(&(at, key, number)) = self.unshown.front() {
            if at > now {
                break;
            }
            self.unshown.pop_front();
            if let Some(flight) = self.flight(key, number) {
                let policy = flight.agent_policy.as_ref();
                if policy.is_some_and(AgentPolicy::is_waiting) {
                    self.unshown.push_back((now + LINGER, key, number));
                    continue;
                }
                lingered.push((key, policy.and_then(AgentPolicy::get)));
            }
        }
        lingered
    }

    fn flight(&self, key: StepKey, number: u64) -> Option<&Flight> {
        self.by_key.get(&key).filter(|f| f.number == number)
    }
}

/// Logs what went wrong, where the span still says which attempt it was.
fn tell(outcome: &Outcome) {
    match outcome {
        Outcome::Completed(_) | Outcome::Detached { .. } => {}
        Outcome::Failed { failure, .. } => {
            tracing::info!(error = %failure.message, kind = %failure.kind, "the attempt failed");
        }
        Outcome::Busy { failure } => {
            tracing::debug!(error = %failure.message, "the attempt was not made");
        }
        Outcome::TimedOut { after, .. } => {
            tracing::info!(?after, "the attempt timed out");
        }
    }
}
