//! An attempt came to its end: the step completes, is tried again later, or fails.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::json;

use super::Turn;
use crate::retry::RetryPolicy;
use crate::state::{delta, later, planned};
use crate::{Failure, Outcome, RunState, StepKey, StepStatus};

/// The shortest and the longest rest of a step whose attempt was not made: so many runs ask again,
/// and each costs a claim.
const DEFERRED_MIN: Duration = Duration::from_secs(1);
const DEFERRED_MAX: Duration = Duration::from_secs(20);

/// How an attempt failed, and what that says about the next one.
pub(super) struct Failed {
    pub(super) failure: Failure,
    /// What the step becomes if it is not tried again.
    pub(super) status: StepStatus,
    pub(super) http_status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
}

impl RunState {
    pub(super) fn outcome(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        attempt: u32,
        agent_policy: Option<&RetryPolicy>,
        outcome: Outcome,
    ) {
        let current = |step: &crate::state::StepState| step.in_flight && step.attempt == attempt;
        if !self.find(key).is_some_and(current) {
            return;
        }
        self.heed_policy(turn, key, agent_policy);
        self.came_to(turn, key, agent_policy, outcome);
    }

    /// Takes in what the current attempt of a step came to, wherever it was made.
    pub(super) fn came_to(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        agent_policy: Option<&RetryPolicy>,
        outcome: Outcome,
    ) {
        match outcome {
            Outcome::Detached { until } => self.wait_for_callback(turn, key, until),
            Outcome::Completed(output) => self.complete(turn, key, output),
            Outcome::Failed {
                failure,
                status,
                retry_after,
            } => self.failed(
                turn,
                key,
                agent_policy,
                Failed {
                    failure,
                    status: StepStatus::Failed,
                    http_status: status,
                    retry_after,
                },
            ),
            Outcome::Busy { failure } => self.defer(turn, key, failure),
            Outcome::TimedOut { after } => self.failed(
                turn,
                key,
                agent_policy,
                Failed {
                    failure: Failure::retryable(
                        "timeout",
                        format!("the attempt did not end within {} ms", after.as_millis()),
                    ),
                    status: StepStatus::TimedOut,
                    http_status: None,
                    retry_after: None,
                },
            ),
        }
    }

    /// Shows the attempts that the agent's policy allows, where the step has none of its own.
    /// Returns whether that is news.
    pub(super) fn heed_policy(
        &mut self,
        turn: &Turn<'_>,
        key: StepKey,
        agent_policy: Option<&RetryPolicy>,
    ) -> bool {
        let Some(policy) = agent_policy.filter(|_| planned(turn.plan, key).retry.is_none()) else {
            return false;
        };
        let shown = std::mem::replace(&mut self.at_mut(key).max_attempts, policy.max_attempts);
        shown != policy.max_attempts
    }

    pub(super) fn failed(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        agent_policy: Option<&RetryPolicy>,
        failed: Failed,
    ) {
        let fallback;
        let policy = match (&planned(turn.plan, key).retry, agent_policy) {
            (Some(own), _) => own,
            (None, Some(agent)) => agent,
            (None, None) => {
                // What is known of an agent's policy by now.
                fallback = RetryPolicy {
                    max_attempts: self.at(key).max_attempts,
                    ..RetryPolicy::default()
                };
                &fallback
            }
        };
        let covered = policy.covers(&failed.failure, failed.http_status);
        if covered && self.at(key).attempt < policy.max_attempts {
            self.back_off(turn, key, policy, failed.retry_after, failed.failure);
        } else {
            self.fail(turn, key, failed.status, failed.failure);
        }
    }

    /// Puts a step to rest whose attempt was not made. It asks again ever less often, the longer it
    /// has been asking.
    fn defer(&mut self, turn: &mut Turn<'_>, key: StepKey, failure: Failure) {
        let asked_for = self
            .at(key)
            .started_at
            .map_or(TimeDelta::zero(), |at| turn.now - at);
        let pause = (asked_for / 2).clamp(delta(DEFERRED_MIN), delta(DEFERRED_MAX));
        let spread = pause / 2 * i32::try_from(self.jitter_seed(key) % 100).unwrap_or(0) / 100;
        let at = later(turn.now, pause / 2 + spread);
        self.land(key);
        let step = self.at_mut(key);
        let before = step.status;
        let again = step
            .error
            .as_ref()
            .is_some_and(|error| error.kind == failure.kind);
        let detail = json!({ "error": &failure, "next_attempt_at": at });
        step.set(StepStatus::Waiting);
        step.attempt -= 1;
        step.shown = false;
        step.error = Some(failure);
        self.sleep(key, Some(at));
        turn.touch(key);
        // That it asked once more and was told the same is no news.
        if !again {
            self.record_step(turn, key, "step.deferred", before, Some(detail));
        }
    }

    /// Puts a step to rest until its next attempt.
    pub(super) fn back_off(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        policy: &RetryPolicy,
        retry_after: Option<Duration>,
        failure: Failure,
    ) {
        let attempt = self.at(key).attempt;
        let interval = policy.interval(attempt, self.jitter_seed(key));
        let pause = interval.max(retry_after.unwrap_or_default());
        let at = later(turn.now, delta(pause));
        let detail = json!({ "attempt": attempt, "error": &failure, "next_attempt_at": at });
        self.land(key);
        let step = self.at_mut(key);
        let before = step.status;
        step.set(StepStatus::Waiting);
        step.error = Some(failure);
        self.sleep(key, Some(at));
        turn.touch(key);
        self.record_step(turn, key, "step.retrying", before, Some(detail));
    }
}
