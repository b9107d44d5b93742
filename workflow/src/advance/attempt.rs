//! Steps that a worker makes: fills in the call and hands it out as an attempt.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Turn;
use crate::expression;
use crate::payload;
use crate::plan::{Delivery, Kind};
use crate::retry::RetryPolicy;
use crate::state::{name_of, planned};
use crate::{Attempt, Call, Effect, RunState, StepKey, StepStatus};

impl RunState {
    pub(super) fn start_attempt(&mut self, turn: &mut Turn<'_>, key: StepKey, kind: &Kind) {
        let call = match self.fill_in(turn, key, kind) {
            Ok(call) => call,
            Err(message) => return self.fail_expression(turn, key, message),
        };
        let shown = shown_input(&call);
        if self.at(key).input.is_none() && payload::bytes(&shown).is_none() {
            return self.fail_input(turn, key);
        }
        let planned = planned(turn.plan, key);
        if planned.is_detached() {
            return self.detach(turn, key, call, shown);
        }
        let before = self.at(key).status;
        let again = before == StepStatus::Running;
        let step = self.at_mut(key);
        if !again {
            // An attempt that a dead worker left running is made again under its own number.
            step.set(StepStatus::Running);
            step.attempt += 1;
            step.shown = false;
        }
        step.input = Some(shown);
        step.started_at.get_or_insert(turn.now);
        step.wake_at = None;
        step.in_flight = true;
        let attempt = step.attempt;
        let generation = step.generation;
        self.tally.in_flight += 1;
        self.take_lane(key);
        if planned.delivery == Delivery::AtMostOnce && !again {
            self.show(turn, key, before);
        }
        turn.effect(Effect::Start(Attempt {
            key,
            name: name_of(turn.plan, key),
            attempt,
            generation,
            call,
            timeout: planned.timeout,
        }));
    }

    /// Fails a step that was to be given too much.
    pub(super) fn fail_input(&mut self, turn: &mut Turn<'_>, key: StepKey) {
        let failure = payload::input_too_large(
            "the input of this step has",
            "give it less, or keep the data elsewhere and give it where that is",
        );
        self.fail(turn, key, StepStatus::Failed, failure);
    }

    /// An attempt has been in flight for long enough to be shown as running.
    pub(super) fn linger(
        &mut self,
        turn: &mut Turn<'_>,
        key: StepKey,
        agent_policy: Option<&RetryPolicy>,
    ) {
        if !self.find(key).is_some_and(|step| step.in_flight) {
            return;
        }
        let news = self.heed_policy(turn, key, agent_policy);
        let step = self.at(key);
        if !step.shown {
            // An attempt that found no seat at its agent has left an error, and did not count.
            let before = match step.attempt {
                1 if step.error.is_none() => StepStatus::Pending,
                _ => StepStatus::Waiting,
            };
            self.show(turn, key, before);
        } else if news {
            turn.touch(key);
        }
    }

    /// Writes the attempt down as running.
    fn show(&mut self, turn: &mut Turn<'_>, key: StepKey, before: StepStatus) {
        self.at_mut(key).shown = true;
        turn.touch(key);
        let detail = json!({ "attempt": self.at(key).attempt });
        self.record_step(turn, key, "step.started", before, Some(detail));
    }

    fn fill_in(&self, turn: &Turn<'_>, key: StepKey, kind: &Kind) -> Result<Call, String> {
        // Every attempt gets what the first one got.
        let input = |template| match &self.at(key).input {
            Some(input) => Ok(Arc::clone(input)),
            None => self.render(turn, key, template).map(Arc::new),
        };
        match kind {
            Kind::Agent {
                agent,
                input: template,
            } => Ok(Call::Agent {
                agent: Arc::clone(agent),
                input: input(template)?,
            }),
            Kind::Task {
                task,
                input: template,
            } => Ok(Call::Task {
                task: Arc::clone(task),
                input: input(template)?,
            }),
            Kind::External {
                topic,
                input: template,
            } => Ok(Call::External {
                topic: Arc::clone(topic),
                input: input(template)?,
            }),
            Kind::Http {
                method,
                url,
                headers,
                body,
                expect_status,
                sign,
            } => {
                let header = |(name, template): &(String, _)| {
                    let value = self.render(turn, key, template)?;
                    Ok((name.clone(), header_text(name, value)?))
                };
                let body = body.as_ref();
                let sign = sign.as_ref();
                Ok(Call::Http {
                    method: Arc::clone(method),
                    url: self.render_text(turn, key, url, "`url`")?,
                    headers: headers.iter().map(header).collect::<Result<_, String>>()?,
                    body: body.map(|b| self.render(turn, key, b)).transpose()?,
                    expect_status: expect_status.clone(),
                    sign: sign
                        .map(|s| self.render_text(turn, key, s, "`sign`"))
                        .transpose()?,
                })
            }
            _ => Err("this type of step makes no attempts".to_owned()),
        }
    }
}

fn header_text(name: &str, value: Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Bool(_) => Ok(value.to_string()),
        other => Err(format!(
            "the header `{name}` must come to a string, but it came to {}",
            expression::kind(&other)
        )),
    }
}

/// Returns what is kept of a call's input. Headers and secrets are not.
fn shown_input(call: &Call) -> Arc<Value> {
    match call {
        Call::Agent { input, .. } | Call::Task { input, .. } | Call::External { input, .. } => {
            Arc::clone(input)
        }
        Call::Http {
            method, url, body, ..
        } => Arc::new(json!({ "method": &**method, "url": url, "body": body })),
    }
}
