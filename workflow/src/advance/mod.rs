//! The one place that chooses the next state.
//!
//! An event comes in, its verb changes what it is about, and then `go_on` starts whatever that
//! made ready. Everything is decided in memory first; the driver commits the decision as one and
//! only then acts on it, so a crash at any line loses either the whole decision or nothing.

mod attempt;
mod begin;
mod cancel;
mod check;
mod child;
mod delay;
mod detach;
mod emit;
mod end;
mod finish;
mod given_back;
mod go_on;
mod map;
mod outcome;
mod pause;
mod pure;
mod retry;
mod seed;
mod signal;
mod timers;
mod turn;
mod undo;
mod wait;

#[cfg(test)]
mod tests;

pub(crate) use retry::runs_anew;

use crate::expression::Allowance;
use crate::instant;
use crate::{Effect, Event, Plan, Record, RunState, RunStatus, StepKey, Time};
use turn::Turn;

/// What `advance` decided: to be committed as one, then acted on.
#[derive(Debug, Default)]
pub struct Decision {
    /// Audit records, in order.
    pub records: Vec<Record>,
    /// The steps whose rows changed, each once.
    pub touched: Vec<StepKey>,
    pub effects: Vec<Effect>,
    /// Whether the commit must come before the effects. `false` only when nothing that another
    /// driver would need was decided: the attempts may start at once, and the records ride along
    /// with the next commit.
    pub commit_first: bool,
    /// Whether more is ready than one call does: call again with [`Event::Tick`].
    pub more: bool,
    /// Whether the next call needs a whole [`Allowance`] for its expressions.
    pub apart: bool,
    /// The units that its expressions took.
    pub spent: u64,
}

impl RunState {
    /// Takes in one event and decides what follows. An event that no longer matters (the outcome
    /// of an aborted attempt, a second cancel) decides nothing.
    pub fn advance(&mut self, plan: &Plan, event: Event, now: Time) -> Decision {
        self.advance_within(plan, event, now, Allowance::whole())
    }

    /// The same, where all its expressions together may take so much. A step that found too little left
    /// is as it was, and [`Decision::more`] says so.
    pub fn advance_within(
        &mut self,
        plan: &Plan,
        event: Event,
        now: Time,
        allowance: Allowance,
    ) -> Decision {
        if self.status.is_terminal() {
            return Decision::default();
        }
        let now = instant::whole(now);
        self.seen = now;
        let mut turn = Turn::new(plan, now, allowance);
        self.take_in(&mut turn, event);
        self.settle(&mut turn)
    }

    fn take_in(&mut self, turn: &mut Turn<'_>, event: Event) {
        match event {
            Event::Begin { deaths } => self.begin(turn, deaths),
            Event::Outcome {
                key,
                attempt,
                agent_policy,
                outcome,
            } => {
                self.outcome(turn, key, attempt, agent_policy.as_deref(), outcome);
                self.go_on(turn);
            }
            Event::Reported {
                key,
                generation,
                attempt,
                agent_policy,
                outcome,
            } => {
                self.reported(
                    turn,
                    key,
                    (generation, attempt),
                    agent_policy.as_deref(),
                    outcome,
                );
                self.go_on(turn);
            }
            Event::Tick => {
                self.tick(turn);
                self.go_on(turn);
            }
            Event::Linger { key, agent_policy } => {
                self.linger(turn, key, agent_policy.as_deref());
            }
            Event::Cancel {
                reason,
                actor,
                request_id,
            } => {
                turn.asked_by(actor, request_id);
                self.cancel(turn, reason);
            }
            Event::Signal {
                name,
                payload,
                actor,
                request_id,
            } => {
                turn.asked_by(actor, request_id);
                self.signal(turn, &name, payload);
                turn.on_its_own();
                self.go_on(turn);
            }
            Event::Pause { actor, request_id } => {
                turn.asked_by(actor, request_id);
                self.pause(turn);
            }
            Event::Resume { actor, request_id } => {
                turn.asked_by(actor, request_id);
                self.resume(turn);
                turn.on_its_own();
                self.tick(turn);
                self.go_on(turn);
            }
            Event::Retry { from_step, reset } => {
                self.retry(turn, from_step.as_deref(), reset);
                // A generation that ended for its input is not followed by one that takes it.
                self.check_input(turn);
            }
            Event::Check => self.check_input(turn),
            Event::ChildStarted { key, child_run_id } => {
                self.child_started(turn, key, child_run_id);
                self.go_on(turn);
            }
            Event::ChildRefused {
                key,
                child_run_id,
                failure,
            } => {
                self.child_refused(turn, key, child_run_id, failure);
                self.go_on(turn);
            }
            Event::ChildEnded {
                key,
                child_run_id,
                result,
            } => {
                self.child_ended(turn, key, child_run_id, result);
                self.go_on(turn);
            }
            Event::GivenBack { key, begun } => self.given_back(turn, key, begun),
        }
    }

    /// Closes the call: ends a run whose steps are all over, and says where it stands now.
    fn settle(&mut self, turn: &mut Turn<'_>) -> Decision {
        let done = self.begun && self.tally.open == 0 && self.ending.is_none();
        if done && !self.status.is_terminal() {
            self.finish(turn);
        }
        if !self.status.is_terminal() && !turn.owes_end() {
            self.set(self.resting());
        }
        let due = self.tally.timers.first().is_some_and(|t| t.0 <= turn.now);
        let more =
            turn.is_spent() && self.may_start() && (due || self.tally.has_startable(&self.steps));
        turn.decide(more || turn.owes_end())
    }

    /// Returns the status of a run that is not over.
    fn resting(&self) -> RunStatus {
        if self.header.paused {
            RunStatus::Paused
        } else if !self.begun {
            match (self.status, self.header.started_at) {
                (RunStatus::Paused | RunStatus::Pending, None) => RunStatus::Pending,
                (RunStatus::Paused, Some(_)) => RunStatus::Running,
                (status, _) => status,
            }
        } else if self.in_flight() > 0 || self.tally.has_startable(&self.steps) {
            RunStatus::Running
        } else {
            RunStatus::Waiting
        }
    }

    /// Says whether anything new may be started.
    fn may_start(&self) -> bool {
        self.begun && !self.header.paused && !self.draining && !self.status.is_terminal()
    }
}
