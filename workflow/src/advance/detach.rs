//! Attempts that are made elsewhere: by a worker of another queue, by somebody who polls for work, or
//! by an agent that took the call and calls back.
//!
//! The step is `waiting`, without an error, and holds its place in the map and in the run's
//! `max_parallel`. Nothing is in flight here, so the driver lets go of the run. The result comes as a
//! message; one of an attempt that is over decides nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use super::outcome::Failed;
use crate::plan::{Delivery, Kind, Lane};
use crate::retry::RetryPolicy;
use crate::state::{delta, later, name_of, planned};
use crate::{Attempt, Call, Effect, Failure, Outcome, RunState, StepKey, StepStatus, Time};

impl RunState {
    /// Puts an attempt up for others to make.
    pub(super) fn detach(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        call: Call,
        shown: Arc<Value>,
    ) {
        let planned = planned(turn.plan, key);
        let step = self.at_mut(key);
        step.attempt += 1;
        step.input = Some(shown);
        let (attempt, generation) = (step.attempt, step.generation);
        // The timeout of a worker's attempt begins with the attempt, and is the worker's to keep.
        let until = match planned.kind {
            Kind::External { .. } => planned
                .timeout
                .map(|timeout| later(turn.now, delta(timeout))),
            _ => None,
        };
        let queue = match &planned.lane {
            Lane::Queue(queue) => Some(Arc::clone(queue)),
            Lane::Here | Lane::Shared => None,
        };
        let detail = match &call {
            Call::External { topic, .. } => {
                json!({ "attempt": attempt, "topic": topic, "until": until })
            }
            _ => json!({ "attempt": attempt, "queue": queue }),
        };
        self.wait_elsewhere(turn, key, until, detail);
        turn.effect(Effect::Detach {
            attempt: Attempt {
                key,
                name: name_of(turn.plan, key),
                attempt,
                generation,
                call,
                timeout: planned.timeout,
            },
            queue,
            once: planned.delivery == Delivery::AtMostOnce,
        });
    }

    /// The agent took the call and calls back.
    pub(super) fn wait_for_callback(&mut self, turn: &mut Turn<'_>, key: StepKey, until: Time) {
        self.land(key);
        let detail = json!({ "attempt": self.at(key).attempt, "until": until });
        self.wait_elsewhere(turn, key, Some(until), detail);
    }

    fn wait_elsewhere(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        until: Option<Time>,
        detail: Value,
    ) {
        let step = self.at_mut(key);
        step.error = None;
        step.shown = true;
        step.detached = true;
        self.tally.detached += 1;
        self.rest(turn, key, until, Some(detail));
    }

    /// Takes in the result of an attempt, given as (generation, attempt), that was made elsewhere. An
    /// agent may call back before its 202 is here.
    pub(super) fn reported(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        (generation, attempt): (i32, u32),
        agent_policy: Option<&RetryPolicy>,
        outcome: Outcome,
    ) {
        let Some(step) = self.find(key).filter(|step| {
            step.generation == generation
                && step.attempt == attempt
                && (step.detached || step.in_flight)
        }) else {
            return;
        };
        // Nothing of this is known here until the answer of the call itself comes.
        if step.in_flight && matches!(outcome, Outcome::Detached { .. }) {
            return;
        }
        if step.in_flight {
            turn.forget(key);
        }
        turn.must_commit();
        self.heed_policy(turn, key, agent_policy);
        self.came_to(turn, key, agent_policy, outcome);
    }

    /// Nobody reported in time.
    pub(super) fn detached_timed_out(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        turn.recall(key);
        let message = "no result of the attempt came in time";
        let failed = Failed {
            failure: Failure::retryable("timeout", message),
            status: StepStatus::TimedOut,
            http_status: None,
            retry_after: None,
        };
        self.failed(turn, key, None, failed);
    }
}
