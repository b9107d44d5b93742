//! A signal goes to the first step that waits for it, or will.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::plan::{Approval, Kind, Refusal};
use crate::state::planned;
use crate::{Plan, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn signal(&mut self, turn: &mut Turn<'_>, name: &str, payload: Value) {
        turn.must_commit();
        let detail = json!({ "signal": name });
        let Some(key) = self.listener(turn.plan, name) else {
            let status = self.status.as_str();
            self.record_run(turn, "signal.ignored", status, status, Some(detail));
            return;
        };
        let status = self.at(key).status;
        let (detail, payload) = match self.answer(turn, key, &payload) {
            None => (detail, payload),
            Some(Ok(decision)) => {
                let detail = json!({ "signal": name, "choice": decision["choice"] });
                (detail, decision)
            }
            Some(Err(refusal)) => {
                let detail = json!({ "signal": name, "reason": why(&refusal) });
                self.record_step(turn, key, "signal.refused", status, Some(detail));
                return;
            }
        };
        self.record_step(turn, key, "signal.received", status, Some(detail));
        if status == StepStatus::Waiting {
            self.complete(turn, key, payload);
        } else {
            self.at_mut(key).output = Some(Arc::new(payload));
            turn.touch(key);
        }
    }

    /// Returns what an answer to an approval comes to; `None` where any payload will do.
    fn answer(
        &self,
        turn: &Turn<'_>,
        key: StepKey,
        payload: &Value,
    ) -> Option<Result<Value, Refusal>> {
        let Kind::Wait {
            approval: Some(approval),
            ..
        } = &planned(turn.plan, key).kind
        else {
            return None;
        };
        let actor = turn.asker().unwrap_or_default();
        let checked = approval.check(payload, actor);
        Some(checked.map(|()| Approval::decision(payload, actor, turn.now)))
    }

    /// Returns the first step, in the plan's order, that this signal completes now or later.
    fn listener(&self, plan: &Plan, name: &str) -> Option<StepKey> {
        let waits = |kind: &Kind| matches!(kind, Kind::Wait { signal, .. } if &**signal == name);
        let listens = |key: StepKey| {
            let step = self.at(key);
            !step.status.is_terminal() && step.output.is_none()
        };
        (0..).zip(&plan.steps).find_map(|(n, step)| {
            let key = StepKey::step(n);
            match &step.kind {
                kind if waits(kind) => listens(key).then_some(key),
                // Items are there to signal only while their map runs.
                Kind::Map(map)
                    if waits(&map.step.kind) && self.at(key).status == StepStatus::Running =>
                {
                    (0..)
                        .zip(&self.at(key).items)
                        .map(|(i, _)| StepKey::item(n, i))
                        .find(|&key| listens(key))
                }
                _ => None,
            }
        })
    }
}

/// Says in a sentence why an answer does not count.
fn why(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotAnApprover => "the actor is not among the approvers".to_owned(),
        Refusal::Invalid(findings) => {
            let told = findings
                .iter()
                .map(|finding| format!("{} {}", finding.pointer, finding.detail));
            told.collect::<Vec<_>>().join("; ")
        }
    }
}
