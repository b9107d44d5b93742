//! Audit records on their way into one statement. Their ids are made here: UUIDv7, growing within
//! the process, so that they lie in the partition of their day.

use serde_json::Value;
use uuid::Uuid;

use crate::text::clean;

/// Columns of audit records, for `unnest`.
#[derive(Debug, Default)]
pub(crate) struct AuditColumns<'a> {
    pub(crate) id: Vec<Uuid>,
    pub(crate) entity_id: Vec<Uuid>,
    pub(crate) sequence: Vec<i64>,
    pub(crate) step: Vec<Option<&'a str>>,
    pub(crate) action: Vec<&'a str>,
    pub(crate) before: Vec<Option<&'a str>>,
    pub(crate) after: Vec<Option<&'a str>>,
    pub(crate) detail: Vec<Option<&'a str>>,
    pub(crate) actor: Vec<Option<&'a str>>,
    pub(crate) request_id: Vec<Option<&'a str>>,
}

/// One record about a run or one of its steps.
#[derive(Debug)]
pub(crate) struct AuditRow {
    pub(crate) sequence: i64,
    pub(crate) step: Option<String>,
    pub(crate) action: &'static str,
    /// Status words; kept as JSON strings.
    pub(crate) before: Option<&'static str>,
    pub(crate) after: Option<&'static str>,
    pub(crate) detail: Option<String>,
    /// `None`: the worker that writes it.
    pub(crate) actor: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl<'a> AuditColumns<'a> {
    /// Adds one record of this run.
    pub(crate) fn push(&mut self, run_id: Uuid, row: &'a AuditRow) {
        self.id.push(crate::clock::id());
        self.entity_id.push(run_id);
        self.sequence.push(row.sequence);
        self.step.push(row.step.as_deref());
        self.action.push(row.action);
        self.before.push(row.before);
        self.after.push(row.after);
        self.detail.push(row.detail.as_deref());
        self.actor.push(row.actor.as_deref());
        self.request_id.push(row.request_id.as_deref());
    }
}

impl AuditRow {
    /// Takes over what `advance` wrote down.
    pub(crate) fn of(record: stepwell_workflow::Record) -> Self {
        let owned = |text: String| clean(&text).into_owned();
        Self {
            sequence: record.sequence,
            step: record.step.map(owned),
            action: record.action,
            before: record.before,
            after: record.after,
            detail: record.detail.as_ref().map(Value::to_string),
            actor: record.actor.map(owned),
            request_id: record.request_id.map(owned),
        }
    }
}
