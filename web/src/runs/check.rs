//! The check of an order for a run: every fault with its place, also when the workflow that it is for
//! was not found.

use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_queue::place::Claim;
use stepwell_queue::{Actor, NewRun, PlannedVersion};
use stepwell_workflow::limits::DURATION_MAX;
use stepwell_workflow::plan::OnLimit;
use stepwell_workflow::{Plan, Time};

use super::input::check_input;
use super::limits::{DEDUPE_KEY_CHARS_MAX, PRIORITY_MAX, QUEUE_CHARS_MAX};
use super::order::{ExecuteInput, is_queue};
use crate::agents::check::{NO_MASTER_KEY, VERIFY_THE_SIGNATURE, url_fault};
use crate::labels;
use crate::problem::{Fault, Faults};

/// Who asks, and when.
#[derive(Debug)]
pub struct Occasion<'a> {
    pub actor: &'a Actor,
    pub now: Time,
    /// Where the input stands in the body.
    pub input_field: &'static str,
    /// Whether there is a key with which the end of a run can be told under a signature.
    pub signs: bool,
}

impl ExecuteInput {
    /// Checks everything and makes the run. What is wrong goes into `faults`, each with its place
    /// below `pointer`; then there is no run. Without `planned`, because the look-up found none, there
    /// is none either, and what can be told all the same is told.
    pub fn check(
        self,
        planned: Option<&PlannedVersion>,
        occasion: &Occasion<'_>,
        pointer: &str,
        faults: &mut Faults,
    ) -> Option<NewRun> {
        let known = faults.found();
        let mut fault = |field: &str, detail: String| {
            faults.push(Fault::at(format!("{pointer}/{field}"), detail));
        };
        let priority = self.priority.unwrap_or(0);
        if priority.abs() > PRIORITY_MAX {
            let detail = format!("must be from -{PRIORITY_MAX} to {PRIORITY_MAX}, not {priority}");
            fault("priority", detail);
        }
        let ms_max = i64::try_from(DURATION_MAX.as_millis()).unwrap_or(i64::MAX);
        if let Some(ms) = self.timeout_ms.filter(|ms| !(1..=ms_max).contains(ms)) {
            fault(
                "timeout_ms",
                format!("must be from 1 to {ms_max}, not {ms}"),
            );
        }
        if let Some(at) = self.run_at.filter(|at| *at > occasion.now + DURATION_MAX) {
            let days = DURATION_MAX.as_secs() / 86_400;
            fault("run_at", format!("{at} is more than {days} days ahead"));
        }
        if let Some(queue) = self.queue.as_deref().filter(|queue| !is_queue(queue)) {
            let detail = format!(
                "must have 1 to {QUEUE_CHARS_MAX} characters of A-Z, a-z, 0-9 and ._-, the first a \
                 letter or digit, not {queue:?}"
            );
            fault("queue", detail);
        }
        if let Some(key) = &self.dedupe_key
            && !(1..=DEDUPE_KEY_CHARS_MAX).contains(&key.chars().count())
        {
            let detail = format!("must have 1 to {DEDUPE_KEY_CHARS_MAX} characters");
            fault("dedupe_key", detail);
        }
        if let Some(url) = &self.callback_url {
            if let Some(detail) = url_fault(url, VERIFY_THE_SIGNATURE) {
                fault("callback_url", detail);
            } else if !occasion.signs {
                fault("callback_url", NO_MASTER_KEY.into());
            }
        }
        let labels = self.labels.unwrap_or_default();
        labels::check(&labels, &format!("{pointer}/labels"), faults);
        let input_at = format!("{pointer}/{}", occasion.input_field);
        // Of an input that could not be read at all the schema has nothing more to say.
        let unread = faults
            .iter()
            .any(|fault| fault.pointer.as_ref() == Some(&input_at));
        let input = match unread {
            false => check_input(self.input, planned, &input_at, faults),
            true => None,
        };
        let planned = planned?;
        let place = input.as_ref().and_then(|input| {
            let claim = claim(&planned.plan, input);
            claim.unwrap_or_else(|problem| {
                faults.push(Fault::at(&input_at, problem));
                None
            })
        });
        if faults.found() > known {
            return None;
        }
        let plain = NewRun::of(planned, input?, occasion.actor.clone());
        Some(NewRun {
            queue: self.queue.map_or(plain.queue, Arc::from),
            priority: i16::try_from(priority).ok()?,
            run_at: self.run_at.filter(|at| *at > occasion.now),
            timeout_ms: self.timeout_ms,
            labels,
            dedupe_key: self.dedupe_key,
            place,
            callback_url: self.callback_url,
            created_at: occasion.now,
            ..plain
        })
    }
}

/// Returns the place that a run with this input needs; none without `concurrency`.
fn claim(plan: &Plan, input: &RawValue) -> Result<Option<Claim>, String> {
    let Some(concurrency) = &plan.concurrency else {
        return Ok(None);
    };
    let input: Value = serde_json::from_str(input.get()).map_err(|error| error.to_string())?;
    Ok(Some(Claim {
        key: plan.concurrency_key(&input)?,
        most: i32::try_from(concurrency.limit).unwrap_or(i32::MAX),
        reject: concurrency.on_limit == OnLimit::Reject,
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Arc, ExecuteInput, Faults, NewRun, Occasion};
    use crate::clock;
    use serde_json::{Value, json};
    use stepwell_queue::{Actor, PlannedVersion};

    fn order(body: &Value) -> (Option<NewRun>, Faults) {
        let definition = json!({
            "name": "a",
            "input_schema": {"type": "object", "properties": {"age": {"type": "integer"}}},
            "steps": [{"name": "s", "type": "transform", "config": {"value": 1}}],
        });
        let (definition, _) = stepwell_workflow::validate::validate(&definition).unwrap();
        let planned = PlannedVersion {
            workflow_id: clock::id(),
            workflow_name: "a".into(),
            version: 1,
            active: true,
            plan: Arc::new(stepwell_workflow::Plan::compile(&definition).unwrap()),
        };
        let actor = Actor {
            name: "anonymous".into(),
            ..Actor::default()
        };
        let occasion = Occasion {
            actor: &actor,
            now: "2026-03-01T12:00:00Z".parse().unwrap(),
            input_field: "input",
            signs: true,
        };
        let mut faults = Faults::new();
        let order: ExecuteInput = serde_json::from_str(&body.to_string()).unwrap();
        (
            order.check(Some(&planned), &occasion, "/runs/3", &mut faults),
            faults,
        )
    }

    #[test]
    fn an_empty_order_has_an_empty_input() {
        let run = order(&json!({})).0.unwrap();
        assert_eq!(
            (run.input.get(), &*run.queue, run.steps_total),
            ("{}", "default", 1)
        );
    }

    #[test]
    fn null_is_an_input() {
        let (run, faults) = order(&json!({"input": null}));
        assert!(run.is_none());
        assert_eq!(faults[0].pointer.as_deref(), Some("/runs/3/input"));
    }

    #[test]
    fn a_time_that_is_past_means_at_once() {
        let run = order(&json!({"run_at": "2026-03-01T11:59:59Z"})).0.unwrap();
        assert_eq!(run.run_at, None);
    }

    #[test]
    fn everything_wrong_is_listed() {
        let (run, faults) = order(&json!({
            "priority": 101, "timeout_ms": 0, "run_at": "2029-01-01T00:00:00Z", "queue": "a b",
            "dedupe_key": "", "labels": {"": "x"}, "input": {"age": "old"},
        }));
        assert!(run.is_none());
        let places: Vec<_> = faults.iter().filter_map(|f| f.pointer.as_deref()).collect();
        let expected = [
            "priority",
            "timeout_ms",
            "run_at",
            "queue",
            "dedupe_key",
            "labels/",
            "input/age",
        ];
        assert_eq!(places, expected.map(|field| format!("/runs/3/{field}")));
    }

    #[test]
    fn an_input_that_no_worker_could_read_is_refused() {
        let deep = (0..101).fold(json!(1), |inner, _| json!([inner]));
        let (_, faults) = order(&json!({"input": {"x": deep}}));
        assert!(faults[0].detail.contains("levels deep"), "{faults:?}");
    }
}
