//! What one call of `advance` has decided so far.

use serde_json::Value;

use crate::expression::{Allowance, Meter};
use crate::limits::PURE_STEPS_PER_ADVANCE;
use crate::state::name_of;
use crate::{Decision, Effect, Plan, Record, RunState, StepKey, StepStatus, Time};

/// One call of `advance`.
pub(super) struct Turn<'p> {
    pub(super) plan: &'p Plan,
    pub(super) now: Time,
    decision: Decision,
    /// Pure steps that may still be decided.
    budget: usize,
    /// What expressions may cost.
    meter: Meter,
    /// Whether the current step was left as it was, for want of allowance.
    left_step: bool,
    /// Whether the run is over but for its output, which wants another allowance.
    owes_end: bool,
    /// Who asked, and the id of the request.
    asker: Option<(String, Option<String>)>,
}

impl<'p> Turn<'p> {
    pub(super) fn new(plan: &'p Plan, now: Time, allowance: Allowance) -> Self {
        // Without an allowance nothing that may want one is begun.
        let apart = allowance.is_nothing();
        Self {
            plan,
            now,
            decision: Decision {
                apart,
                ..Decision::default()
            },
            budget: if apart { 0 } else { PURE_STEPS_PER_ADVANCE },
            meter: Meter::begin(allowance),
            left_step: false,
            owes_end: false,
            asker: None,
        }
    }

    /// What is evaluated from now on belongs together.
    pub(super) fn next_step(&mut self) {
        self.meter.next_step();
        self.left_step = false;
    }

    /// Says whether an expression failed only because others had spent what it needs.
    pub(super) fn is_cut_short(&self) -> bool {
        self.meter.is_cut_short()
    }

    /// Leaves the current step to the next call, and all others with it.
    pub(super) fn leave_step(&mut self) {
        self.left_step = true;
        self.decision.apart = true;
        self.budget = 0;
    }

    /// Says whether the current step was left as it was.
    pub(super) fn has_left_step(&self) -> bool {
        self.left_step
    }

    /// Leaves the end of the run to the next call.
    pub(super) fn leave_end(&mut self) {
        self.leave_step();
        self.owes_end = true;
    }

    /// Says whether the run is to be ended by the next call.
    pub(super) fn owes_end(&self) -> bool {
        self.owes_end
    }

    /// What follows is recorded as this actor's doing.
    pub(super) fn asked_by(&mut self, actor: String, request_id: Option<String>) {
        self.asker = Some((actor, request_id));
    }

    /// Returns who asked for what is being decided.
    pub(super) fn asker(&self) -> Option<&str> {
        self.asker.as_ref().map(|(actor, _)| actor.as_str())
    }

    /// What follows is the driver's own doing.
    pub(super) fn on_its_own(&mut self) {
        self.asker = None;
    }

    /// Counts a pure step.
    pub(super) fn spend(&mut self) {
        self.budget = self.budget.saturating_sub(1);
    }

    /// Says whether enough pure steps were decided for one call.
    pub(super) fn is_spent(&self) -> bool {
        self.budget == 0
    }

    /// Another driver would need what is decided here.
    pub(super) fn must_commit(&mut self) {
        self.decision.commit_first = true;
    }

    pub(super) fn touch(&mut self, key: StepKey) {
        self.decision.touched.push(key);
        self.must_commit();
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.decision.effects.push(effect);
    }

    /// Aborts an attempt, or leaves it out where it was to start only now.
    pub(super) fn abort(&mut self, key: StepKey) {
        let starts_it = |e: &Effect| matches!(e, Effect::Start(attempt) if attempt.key == key);
        match self.decision.effects.iter().position(starts_it) {
            Some(at) => {
                self.decision.effects.remove(at);
            }
            None => self.effect(Effect::Abort(key)),
        }
    }

    /// Drops an attempt whose result came by another way, or leaves it out where it was to start only
    /// now.
    pub(super) fn forget(&mut self, key: StepKey) {
        let starts_it = |e: &Effect| matches!(e, Effect::Start(attempt) if attempt.key == key);
        match self.decision.effects.iter().position(starts_it) {
            Some(at) => {
                self.decision.effects.remove(at);
            }
            None => self.effect(Effect::Forget(key)),
        }
    }

    /// Takes an attempt back that is made elsewhere, or leaves it out where it was to be put up only
    /// now.
    pub(super) fn recall(&mut self, key: StepKey) {
        let detaches_it =
            |e: &Effect| matches!(e, Effect::Detach { attempt, .. } if attempt.key == key);
        match self.decision.effects.iter().position(detaches_it) {
            Some(at) => {
                self.decision.effects.remove(at);
            }
            None => self.effect(Effect::Recall(key)),
        }
    }

    /// Cancels a child, or leaves it out where it was to start only now.
    pub(super) fn cancel_child(&mut self, child: uuid::Uuid, reason: &str) {
        let starts_it =
            |e: &Effect| matches!(e, Effect::StartChild(wanted) if wanted.run_id == child);
        match self.decision.effects.iter().position(starts_it) {
            Some(at) => {
                self.decision.effects.remove(at);
            }
            None => self.effect(Effect::CancelChild {
                run_id: child,
                reason: reason.to_owned(),
            }),
        }
    }

    /// Gives the decision out.
    pub(super) fn decide(&mut self, more: bool) -> Decision {
        let mut decision = std::mem::take(&mut self.decision);
        decision.touched.sort_unstable();
        decision.touched.dedup();
        decision.more = more;
        decision.apart &= more;
        decision.spent = self.meter.spent();
        decision
    }
}

impl RunState {
    /// Writes down something about the run.
    pub(super) fn record_run(
        &mut self,
        turn: &mut Turn<'_>,
        action: &'static str,
        before: &'static str,
        after: &'static str,
        detail: Option<Value>,
    ) {
        let changed = before != after;
        self.record(
            turn,
            Record {
                sequence: 0,
                step: None,
                action,
                before: changed.then_some(before),
                after: changed.then_some(after),
                detail,
                actor: None,
                request_id: None,
            },
        );
    }

    /// Writes down that a step went from `before` to where it stands now.
    pub(super) fn record_step(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        action: &'static str,
        before: StepStatus,
        detail: Option<Value>,
    ) {
        let after = self.at(key).status;
        let changed = before != after;
        let record = Record {
            sequence: 0,
            step: Some(name_of(turn.plan, key)),
            action,
            before: changed.then_some(before.as_str()),
            after: changed.then_some(after.as_str()),
            detail,
            actor: None,
            request_id: None,
        };
        self.record(turn, record);
    }

    /// Gives a record its number and its asker.
    fn record(&mut self, turn: &mut Turn<'_>, mut record: Record) {
        self.header.sequence += 1;
        record.sequence = self.header.sequence;
        if let Some((actor, request_id)) = &turn.asker {
            record.actor = Some(actor.clone());
            record.request_id.clone_from(request_id);
        }
        turn.decision.records.push(record);
    }
}
