//! `transform` and `decide`: steps that come to a value at once.

use serde_json::{Value, json};

use super::Turn;
use crate::expression::Template;
use crate::plan::Rule;
use crate::{RunState, StepKey};

impl RunState {
    pub(super) fn transform(&mut self, turn: &mut Turn<'_>, key: StepKey, value: &Template) {
        match self.render(turn, key, value) {
            Ok(value) => self.complete(turn, key, value),
            Err(message) => self.fail_expression(turn, key, message),
        }
    }

    pub(super) fn decide(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        rules: &[Rule],
        default: Option<&Template>,
    ) {
        match self.ruling(turn, key, rules, default) {
            Ok(ruling) => self.complete(turn, key, ruling),
            Err(message) => self.fail_expression(turn, key, message),
        }
    }

    /// Returns `{value, rule, reason}`; `rule` counts from 0 and is null for the default.
    fn ruling(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        rules: &[Rule],
        default: Option<&Template>,
    ) -> Result<Value, String> {
        for (n, rule) in rules.iter().enumerate() {
            if self.holds(turn, key, &rule.when)? {
                let value = self.render(turn, key, &rule.value)?;
                let reason = rule.reason.as_ref();
                let reason = reason.map(|r| self.render(turn, key, r)).transpose()?;
                return Ok(json!({ "value": value, "rule": n, "reason": reason }));
            }
        }
        let value = default.map(|d| self.render(turn, key, d)).transpose()?;
        Ok(json!({ "value": value, "rule": null, "reason": null }))
    }
}
