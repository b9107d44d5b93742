//! Starts whatever is ready, as far as there is room.

use serde_json::Value;

use super::Turn;
use crate::expression::{self, Expression, Scope, Template};
use crate::plan::{Kind, PlannedStep, StepNo};
use crate::state::{is_call, planned};
use crate::{Failure, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn go_on(&mut self, turn: &mut Turn<'_>) {
        while self.may_start() && !turn.is_spent() {
            let Some(key) = self.next_startable() else {
                return;
            };
            self.start(turn, key);
        }
    }

    /// Takes out the next step that may begin: pure ones first, for they may end the run.
    fn next_startable(&mut self) -> Option<StepKey> {
        if let Some(step) = self.tally.ready_pure.pop_first() {
            return Some(StepKey::step(step));
        }
        let has_room = self.tally.has_room();
        if has_room && let Some(step) = self.tally.ready_calls.pop_first() {
            return Some(StepKey::step(step));
        }
        let steps = &self.steps;
        let mut maps = self.tally.maps.iter_mut();
        maps.find_map(|(&n, lanes)| {
            if lanes.calls && !has_room {
                return None;
            }
            let item = lanes.next(&steps[usize::from(n)].items)?;
            Some(StepKey::item(n, item))
        })
    }

    /// Begins a step or item, or its next attempt.
    fn start(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        turn.next_step();
        let attempt = self.at(key).attempt;
        match self.wanted(turn, key) {
            Ok(true) => self.start_kind(turn, key),
            Ok(false) => self.skip(turn, key),
            Err(message) => self.fail_expression(turn, key, message),
        }
        if turn.has_left_step() {
            self.at_mut(key).attempt = attempt;
            return self.put_back(turn, key);
        }
        if !self.at(key).in_flight {
            turn.spend();
        }
        if let Some(item) = key.item
            && let Some(lanes) = self.tally.maps.get_mut(&key.step)
        {
            lanes.again.remove(&item);
            lanes.move_cursor(&self.steps[usize::from(key.step)].items);
        }
    }

    /// Makes a step ready again that was taken out and could not begin.
    fn put_back(&mut self, turn: &Turn<'_>, key: StepKey) {
        let is_next = |lanes: &crate::state::Lanes| Some(lanes.cursor) == key.item;
        let lanes = self.tally.maps.get(&key.step);
        if self.at(key).status == StepStatus::Pending && lanes.is_some_and(is_next) {
            return;
        }
        self.make_ready(turn, key);
    }

    /// Evaluates `when`, once, before the first attempt.
    fn wanted(&self, turn: &Turn<'_>, key: StepKey) -> Result<bool, String> {
        let Some(when) = &planned(turn.plan, key).when else {
            return Ok(true);
        };
        if self.at(key).status != StepStatus::Pending {
            return Ok(true);
        }
        self.holds(turn, key, when)
    }

    fn start_kind(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let PlannedStep { kind, timeout, .. } = planned(turn.plan, key);
        if matches!(
            kind,
            Kind::Transform { .. }
                | Kind::Decide { .. }
                | Kind::Delay(_)
                | Kind::Wait { .. }
                | Kind::Emit { .. }
        ) {
            // The others count their attempts themselves.
            self.at_mut(key).attempt = 1;
        }
        match kind {
            Kind::Agent { .. } | Kind::Http { .. } | Kind::Task { .. } | Kind::External { .. } => {
                self.start_attempt(turn, key, kind);
            }
            Kind::Transform { value } => self.transform(turn, key, value),
            Kind::Decide { rules, default } => self.decide(turn, key, rules, default.as_ref()),
            Kind::Delay(delay) => self.start_delay(turn, key, delay),
            Kind::Wait {
                timeout: patience,
                approval,
                ..
            } => self.start_wait(turn, key, patience.or(*timeout), approval.as_deref()),
            Kind::Emit { event, data } => self.emit(turn, key, event, data.as_ref()),
            // It begins and ends with the undoing itself.
            Kind::Undo => {}
            Kind::Workflow {
                workflow,
                version,
                input,
                wait,
            } => self.start_child(turn, key, (workflow, *version, input, *wait)),
            Kind::Map(map) => self.start_map(turn, key, map),
        }
    }

    /// Notes that a step may begin, or begin its next attempt.
    pub(super) fn make_ready(&mut self, turn: &Turn<'_>, key: StepKey) {
        match key.item {
            None => self.make_step_ready(turn, key.step),
            Some(item) => {
                if let Some(lanes) = self.tally.maps.get_mut(&key.step) {
                    lanes.again.insert(item);
                }
            }
        }
    }

    pub(super) fn make_step_ready(&mut self, turn: &Turn<'_>, step: StepNo) {
        let call = is_call(&turn.plan.steps[usize::from(step)].kind);
        self.tally.ready(step, call);
    }

    pub(super) fn evaluate(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        expression: &Expression,
    ) -> Result<Value, String> {
        self.in_scope(turn, key, |scope| expression.evaluate(scope))
    }

    pub(super) fn holds(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        condition: &Expression,
    ) -> Result<bool, String> {
        self.in_scope(turn, key, |scope| condition.holds(scope))
    }

    pub(super) fn render(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        template: &Template,
    ) -> Result<Value, String> {
        self.in_scope(turn, key, |scope| template.render(scope))
    }

    /// Renders what must come to a string.
    pub(super) fn render_text(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        template: &Template,
        what: &str,
    ) -> Result<String, String> {
        match self.render(turn, key, template)? {
            Value::String(text) => Ok(text),
            other => Err(format!(
                "{what} must come to a string, but it came to {}",
                expression::kind(&other)
            )),
        }
    }

    pub(super) fn in_scope<T>(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        then: impl FnOnce(Scope<'_>) -> T,
    ) -> T {
        let list = self.steps[usize::from(key.step)].input.as_deref();
        let item = key.item.and_then(|i| {
            let i = i as usize;
            Some((list?.get(i)?, i))
        });
        then(Scope {
            run: self,
            plan: turn.plan,
            item,
        })
    }

    /// Fails a step whose expression failed. One that found too little of the allowance is left for
    /// another.
    pub(super) fn fail_expression(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        message: impl std::fmt::Display,
    ) {
        if turn.is_cut_short() {
            return turn.leave_step();
        }
        let failure = Failure::fatal("expression", message);
        self.fail(turn, key, StepStatus::Failed, failure);
    }
}
