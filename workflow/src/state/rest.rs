//! What a run that does not move waits for, and until when.

use std::time::Duration;

use chrono::TimeDelta;

use crate::instant;
use crate::plan::{Kind, Lane};
use crate::state::{BlockedOn, StepState, name_of, planned};
use crate::{Plan, RunState, StepKey, StepStatus, Time};

/// Why a step waits whose agent has enough to do.
const AGENT_BUSY: &str = "agent_busy";

impl RunState {
    /// Returns the next instant at which [`crate::Event::Tick`] would change something. It lies in
    /// the past when something could begin at once: a stopping worker held it back, or it was
    /// given back.
    #[must_use]
    pub fn next_wake(&self) -> Option<Time> {
        if self.status.is_terminal() {
            return None;
        }
        let deadline = self.deadline();
        if self.header.paused {
            return deadline;
        }
        if !self.begun || self.tally.has_startable(&self.steps) {
            return Some(self.seen);
        }
        let timer = self.tally.timers.first().map(|&(at, _)| at);
        timer.into_iter().chain(deadline).min()
    }

    /// Says what the run waits for, and until when at the latest, when nothing is in flight and it is
    /// not over.
    #[must_use]
    pub fn blocked_on(&self, plan: &Plan) -> Option<BlockedOn> {
        if self.status.is_terminal() || self.in_flight() > 0 {
            return None;
        }
        if self.header.paused {
            return Some(BlockedOn {
                kind: "paused",
                since: self.rested_at,
                until: self.deadline(),
                detail: None,
            });
        }
        if !self.begun || self.tally.has_startable(&self.steps) {
            return None;
        }
        // A map under way is no reason to rest: its items are.
        let waits = |key: &StepKey| self.at(*key).status == StepStatus::Waiting;
        let mut sleepers = self.tally.timers.iter().map(|&(_, key)| key);
        let key = sleepers.find(waits).or_else(|| self.first_waiting())?;
        Some(self.waits_for(plan, key))
    }

    /// Returns a waiting step or item that has no timer: it waits for a signal, a child or
    /// somebody else's work.
    fn first_waiting(&self) -> Option<StepKey> {
        let waiting = |step: &StepState| step.status == StepStatus::Waiting;
        (0..).zip(&self.steps).find_map(|(n, step)| {
            if waiting(step) {
                return Some(StepKey::step(n));
            }
            if step.status != StepStatus::Running {
                return None;
            }
            (0..)
                .zip(&step.items)
                .find_map(|(i, item)| waiting(item).then_some(StepKey::item(n, i)))
        })
    }

    fn waits_for(&self, plan: &Plan, key: StepKey) -> BlockedOn {
        let step = self.at(key);
        let began = step.started_at.unwrap_or(self.rested_at);
        let (kind, since, detail) = match &planned(plan, key).kind {
            _ if step.detached => {
                let (kind, detail) = self.made_by(plan, key);
                (kind, began, detail)
            }
            Kind::Delay(_) => ("delay", began, name_of(plan, key)),
            Kind::Wait {
                signal, approval, ..
            } => {
                let kind = if approval.is_some() {
                    "approval"
                } else {
                    "signal"
                };
                (kind, began, signal.to_string())
            }
            Kind::Workflow { .. } if step.child_run_id.is_some() => {
                let child = step.child_run_id.map(|id| id.to_string());
                ("child", began, child.unwrap_or_default())
            }
            _ if step.error.as_ref().is_some_and(|e| e.kind == AGENT_BUSY) => {
                ("agent", began, name_of(plan, key))
            }
            _ => ("retry", self.rested_at, name_of(plan, key)),
        };
        BlockedOn {
            kind,
            since,
            until: step.wake_at.into_iter().chain(self.deadline()).min(),
            detail: Some(detail),
        }
    }

    /// Says who makes an attempt that is made elsewhere. One that is put up on a queue has no end of
    /// its own: that is its worker's to see to.
    fn made_by(&self, plan: &Plan, key: StepKey) -> (&'static str, String) {
        let planned = planned(plan, key);
        match (&planned.kind, &planned.lane) {
            (Kind::External { topic, .. }, _) => ("external", topic.to_string()),
            (_, Lane::Queue(queue)) if self.at(key).wake_at.is_none() => {
                ("queue", queue.to_string())
            }
            (_, Lane::Shared) if self.at(key).wake_at.is_none() => ("queue", name_of(plan, key)),
            _ => ("callback", name_of(plan, key)),
        }
    }

    /// Returns when the run times out. What is undone then takes as long as it takes.
    pub(crate) fn deadline(&self) -> Option<Time> {
        if self.ending.is_some() {
            return None;
        }
        Some(later(self.header.started_at?, self.timeout?))
    }
}

/// Returns `at` and `by`, or the end of time.
pub(crate) fn later(at: Time, by: TimeDelta) -> Time {
    instant::whole(at.checked_add_signed(by).unwrap_or(Time::MAX_UTC))
}

/// Returns a length of time as chrono counts it, cut off at what it can count.
pub(crate) fn delta(length: Duration) -> TimeDelta {
    TimeDelta::from_std(length).unwrap_or(TimeDelta::MAX)
}
