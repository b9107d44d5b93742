//! A record becomes an event, if anybody hears of it. Pure.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::Error;
use crate::delivery::Event;
use crate::feed::FeedRecord;
use crate::subscription::matches;

/// What an `emit` step leaves in the trail.
pub(super) const EMITTED: &str = "event.emitted";
/// Bytes of an output that an event carries: what is larger is read from the run.
pub(super) const OUTPUT_BYTES_MAX: i32 = 64 << 10;
/// How old a record may be that a new subscription hears of: clocks differ a little.
const BEFORE: chrono::TimeDelta = chrono::TimeDelta::seconds(1);

/// Who hears of what.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) id: Uuid,
    pub(super) event_types: Vec<String>,
    /// The slug or id of the workflow whose runs it hears of.
    pub(super) workflow: Option<String>,
    pub(super) since: Time,
}

impl Listener {
    pub(super) fn hears(&self, kind: &str, record: &FeedRecord) -> bool {
        let of_its_workflow = self.workflow.as_ref().is_none_or(|wanted| {
            record.workflow_name.as_ref() == Some(wanted)
                || record
                    .workflow_id
                    .is_some_and(|id| id.to_string() == *wanted)
        });
        of_its_workflow
            && record.at >= self.since - BEFORE
            && self
                .event_types
                .iter()
                .any(|pattern| matches(pattern, kind))
    }
}

/// What an event of a run tells besides its record, as it was when that was written.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Run {
    pub(super) version: i32,
    pub(super) generation: i32,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) parent_id: Option<Uuid>,
    pub(super) created_at: Time,
    #[serde(skip)]
    pub(super) traceparent: Option<String>,
    #[serde(skip)]
    pub(super) end: Option<End>,
}

/// What an event of a run's end tells besides.
#[derive(Clone, Debug, Serialize)]
pub(super) struct End {
    pub(super) started_at: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) output: Option<Box<RawValue>>,
    /// Whether the output is too large for an event.
    pub(super) output_omitted: bool,
    pub(super) error: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Emitted {
    event_id: Uuid,
    r#type: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

#[derive(Serialize)]
struct OfRun<'a> {
    run_id: Uuid,
    workflow: Option<&'a str>,
    workflow_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    status: Option<&'a RawValue>,
    sequence: i64,
    detail: Option<&'a RawValue>,
    actor: &'a str,
    request_id: Option<&'a str>,
    #[serde(flatten)]
    run: Option<&'a Run>,
    #[serde(flatten)]
    end: Option<&'a End>,
}

#[derive(Serialize)]
struct OfOther<'a> {
    entity_type: &'a str,
    entity_id: Uuid,
    sequence: i64,
    before: Option<&'a RawValue>,
    after: Option<&'a RawValue>,
    detail: Option<&'a RawValue>,
    actor: &'a str,
    request_id: Option<&'a str>,
}

/// Whether a run ends with this record.
pub(super) fn is_end(record: &FeedRecord) -> bool {
    record.entity_type == "run"
        && matches!(
            record.action.as_str(),
            "run.completed" | "run.failed" | "run.cancelled" | "run.timed_out"
        )
}

/// Returns the type of the event that a record makes; `None` for one that makes none: a subscriber
/// that heard of its own subscription would never come to rest.
pub(super) fn kind(record: &FeedRecord) -> Option<String> {
    if record.action == EMITTED {
        return emitted(record).map(|emitted| emitted.r#type);
    }
    (record.entity_type != "subscription").then(|| format!("stepwell.{}", record.action))
}

fn emitted(record: &FeedRecord) -> Option<Emitted> {
    serde_json::from_str(record.detail.as_ref()?.get()).ok()
}

/// Makes the event of a record. `runs`: by the record.
pub(super) fn event(
    kind: String,
    record: &FeedRecord,
    runs: &HashMap<Uuid, Run>,
) -> Result<Event, Error> {
    let run = runs.get(&record.id);
    let told = |error: serde_json::Error| Error::Corrupt(format!("record {}: {error}", record.id));
    let (id, data) = match emitted(record).filter(|_| record.action == EMITTED) {
        Some(emitted) => {
            let null = || to_raw_value(&()).map_err(told);
            (emitted.event_id, emitted.data.map_or_else(null, Ok)?)
        }
        None if record.is_of_run() => (record.id, of_run(record, run).map_err(told)?),
        None => (record.id, of_other(record).map_err(told)?),
    };
    let source = match (&record.workflow_name, record.is_of_run()) {
        (Some(name), true) => format!("/api/v1/workflows/{name}"),
        (None, true) => "/api/v1/runs".to_owned(),
        _ => format!("/api/v1/{}s", record.entity_type),
    };
    Ok(Event {
        id,
        kind,
        source,
        subject: Some(record.entity_id.to_string()),
        at: record.at,
        data,
        traceparent: run.and_then(|run| run.traceparent.clone()),
    })
}

fn of_run(record: &FeedRecord, run: Option<&Run>) -> serde_json::Result<Box<RawValue>> {
    to_raw_value(&OfRun {
        run_id: record.entity_id,
        workflow: record.workflow_name.as_deref(),
        workflow_id: record.workflow_id,
        step: record.step.as_deref(),
        status: record.after.as_deref(),
        sequence: record.sequence,
        detail: record.detail.as_deref(),
        actor: &record.actor,
        request_id: record.request_id.as_deref(),
        run,
        end: run.and_then(|run| run.end.as_ref()),
    })
}

fn of_other(record: &FeedRecord) -> serde_json::Result<Box<RawValue>> {
    to_raw_value(&OfOther {
        entity_type: &record.entity_type,
        entity_id: record.entity_id,
        sequence: record.sequence,
        before: record.before.as_deref(),
        after: record.after.as_deref(),
        detail: record.detail.as_deref(),
        actor: &record.actor,
        request_id: record.request_id.as_deref(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn record(entity_type: &str, action: &str, detail: &str) -> FeedRecord {
        FeedRecord {
            id: Uuid::from_u128(1),
            at: "2026-03-01T12:00:00Z".parse().unwrap(),
            entity_type: entity_type.into(),
            entity_id: Uuid::from_u128(2),
            sequence: 3,
            step: None,
            action: action.into(),
            before: None,
            after: None,
            detail: Some(RawValue::from_string(detail.to_owned()).unwrap()),
            actor: "tester".into(),
            request_id: None,
            workflow_id: Some(Uuid::from_u128(4)),
            workflow_name: Some("order".into()),
        }
    }

    #[test]
    fn what_a_step_emits_goes_out_as_it_says() {
        let detail = format!(
            r#"{{"event_id": "{}", "type": "com.example.paid", "data": {{"amount": 1.50}}}}"#,
            Uuid::from_u128(9)
        );
        let emitted = record("step", EMITTED, &detail);
        let kind = kind(&emitted).unwrap();
        assert_eq!(kind, "com.example.paid");
        let event = event(kind, &emitted, &HashMap::new()).unwrap();
        assert_eq!(event.id, Uuid::from_u128(9));
        assert_eq!(event.data.get(), r#"{"amount": 1.50}"#);
        assert_eq!(event.source, "/api/v1/workflows/order");
        assert_eq!(event.subject, Some(Uuid::from_u128(2).to_string()));
        // One that says nothing of use is no event.
        assert_eq!(super::kind(&record("step", EMITTED, "{}")), None);
    }

    #[test]
    fn subscribers_hear_of_all_but_subscriptions() {
        let failed = kind(&record("run", "run.failed", "null"));
        assert_eq!(failed.as_deref(), Some("stepwell.run.failed"));
        let tested = kind(&record("subscription", "subscription.tested", "null"));
        assert_eq!(tested, None);
    }

    #[test]
    fn a_listener_hears_of_its_workflow_and_its_time() {
        let failed = record("run", "run.failed", "null");
        let listener = |workflow: Option<&str>, since: &str| Listener {
            id: Uuid::nil(),
            event_types: vec!["stepwell.run.*".into()],
            workflow: workflow.map(str::to_owned),
            since: since.parse().unwrap(),
        };
        let id = Uuid::from_u128(4).to_string();
        for (workflow, since, hears) in [
            (None, "2026-03-01T11:00:00Z", true),
            (Some("order"), "2026-03-01T11:00:00Z", true),
            (Some(id.as_str()), "2026-03-01T11:00:00Z", true),
            (Some("other"), "2026-03-01T11:00:00Z", false),
            (None, "2026-03-01T13:00:00Z", false),
        ] {
            let heard = listener(workflow, since).hears("stepwell.run.failed", &failed);
            assert_eq!(heard, hears, "{workflow:?} {since}");
        }
        let of_steps =
            listener(None, "2026-03-01T11:00:00Z").hears("stepwell.step.failed", &failed);
        assert!(!of_steps);
    }
}
