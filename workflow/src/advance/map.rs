//! `map`: one step for each item of a list, so many at once.
//!
//! The map's row is written when it starts, with the list: a driver that takes over lists nothing
//! anew. An item gets a row when it ends or has to wait. Whether a failed item fails the map is a
//! matter of `tolerated_failures` alone; the `on_error` of the inner step says nothing.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::expression;
use crate::limits::MAP_ITEMS_MAX;
use crate::payload;
use crate::plan::{Kind, Map, StepNo};
use crate::state::{Lanes, StepState, delta, later, name_of, planned};
use crate::{Failure, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn start_map(&mut self, turn: &mut Turn<'_>, key: StepKey, map: &Map) {
        // A retried map goes on with the list it had: its completed items stay.
        if self.at(key).input.is_none()
            && let Err(failure) = self.list_items(turn, key, map)
        {
            if turn.is_cut_short() {
                return turn.leave_step();
            }
            return self.fail(turn, key, StepStatus::Failed, failure);
        }
        let step = self.at_mut(key);
        let before = step.status;
        step.set(StepStatus::Running);
        step.shown = true;
        step.started_at.get_or_insert(turn.now);
        let detail = json!({ "items": step.items.len() });
        let timeout = planned(turn.plan, key).timeout;
        self.sleep(key, timeout.map(|timeout| later(turn.now, delta(timeout))));
        turn.touch(key);
        self.record_step(turn, key, "step.started", before, Some(detail));
        let items = &self.steps[usize::from(key.step)].items;
        let lanes = Lanes::count(key.step, map, items, &mut self.tally.timers);
        let (done, too_large) = (lanes.left == 0, lanes.too_large());
        self.tally.maps.insert(key.step, lanes);
        if too_large {
            self.map_too_large(turn, key.step);
        } else if done {
            self.map_done(turn, key.step);
        }
    }

    /// Evaluates the list, once.
    fn list_items(&mut self, turn: &Turn<'_>, key: StepKey, map: &Map) -> Result<(), Failure> {
        let expression = |message| Failure::fatal("expression", message);
        let list = match self.evaluate(turn, key, &map.items).map_err(expression)? {
            Value::Array(list) => list,
            other => {
                let got = expression::kind(&other);
                let message = format!("`items` must come to a list, but it came to {got}");
                return Err(expression(message));
            }
        };
        if list.len() > MAP_ITEMS_MAX {
            let message = format!(
                "the list has {} items and a map takes at most {MAP_ITEMS_MAX}; \
                 split it over several maps or child workflows",
                list.len()
            );
            return Err(Failure::fatal("too_many_items", message));
        }
        let count = list.len();
        let list = Value::Array(list);
        if payload::bytes(&list).is_none() {
            return Err(payload::input_too_large(
                "the list in `items` has",
                "select less of each item, or split the list over several maps or child workflows",
            ));
        }
        let generation = self.header.generation;
        let fresh = StepState::new(generation, map.step.max_attempts());
        let step = self.at_mut(key);
        step.items = vec![fresh; count];
        step.attempt = u32::try_from(generation).unwrap_or(1);
        step.max_attempts = step.attempt;
        step.input = Some(Arc::new(list));
        Ok(())
    }

    /// Counts an item that is over; the last one, or one failure too many, ends the map.
    pub(super) fn item_ended(&mut self, turn: &mut Turn<'_>, step: StepNo, item: u32) {
        let Kind::Map(map) = &turn.plan.steps[usize::from(step)].kind else {
            return;
        };
        let status = self.at(StepKey::item(step, item)).status;
        let Some(lanes) = self.tally.maps.get_mut(&step) else {
            return;
        };
        lanes.left -= 1;
        if matches!(status, StepStatus::Failed | StepStatus::TimedOut) {
            lanes.failed += 1;
            let first = lanes.first_failed.map_or(item, |first| first.min(item));
            lanes.first_failed = Some(first);
        }
        if lanes.failed > map.tolerated_failures {
            self.map_failed(turn, step);
        } else if lanes.too_large() {
            self.map_too_large(turn, step);
        } else if lanes.left == 0 {
            self.map_done(turn, step);
        }
    }

    fn map_done(&mut self, turn: &mut Turn<'_>, step: StepNo) {
        self.tally.maps.remove(&step);
        let output_of = |item: &StepState| item.output.as_deref().cloned().unwrap_or_default();
        let items = &self.steps[usize::from(step)].items;
        let list = items.iter().map(output_of).collect();
        self.complete(turn, StepKey::step(step), Value::Array(list));
    }

    /// Ends a map as soon as its list is sure to be too large: the items to come change nothing.
    fn map_too_large(&mut self, turn: &mut Turn<'_>, step: StepNo) {
        let failure = payload::output_too_large(
            "the outputs of the items come to",
            "let each item return less, or split the list over several maps or child workflows",
        );
        self.fail(turn, StepKey::step(step), StepStatus::Failed, failure);
    }

    /// Its items did not all end in time.
    pub(super) fn map_timed_out(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let ms = planned(turn.plan, key)
            .timeout
            .unwrap_or_default()
            .as_millis();
        let message = format!("the items of the map did not end within {ms} ms");
        let failure = Failure::retryable("timeout", message);
        self.fail(turn, key, StepStatus::TimedOut, failure);
    }

    fn map_failed(&mut self, turn: &mut Turn<'_>, step: StepNo) {
        let first = self.tally.maps.get(&step).and_then(|l| l.first_failed);
        let first = StepKey { step, item: first };
        let failure = self.at(first).error.clone().unwrap_or_else(|| {
            let message = format!("{} failed", name_of(turn.plan, first));
            Failure::fatal("item_failed", message)
        });
        self.fail(turn, StepKey::step(step), StepStatus::Failed, failure);
    }

    /// Ends every item that is not over, because its map or run ends.
    pub(super) fn cut_items_short(&mut self, turn: &mut Turn<'_>, step: StepNo) {
        let count = u32::try_from(self.steps[usize::from(step)].items.len()).unwrap_or(u32::MAX);
        for item in 0..count {
            self.cut_short(turn, StepKey::item(step, item));
        }
        self.tally.maps.remove(&step);
    }
}
