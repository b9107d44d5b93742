//! New runs as columns, for `unnest`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use stepwell_workflow::Time;
use uuid::Uuid;

use crate::NewRun;
use crate::text::clean;

/// One vector for each column of `queries/enqueue.sql`, in its order.
#[derive(Debug, Default)]
pub(crate) struct RunColumns {
    pub(super) id: Vec<Uuid>,
    pub(super) workflow_id: Vec<Uuid>,
    pub(super) workflow_name: Vec<String>,
    pub(super) version: Vec<i32>,
    pub(super) steps_total: Vec<i32>,
    pub(super) input: Vec<String>,
    pub(super) queue: Vec<String>,
    pub(super) priority: Vec<i16>,
    pub(super) run_at: Vec<Option<Time>>,
    pub(super) timeout_ms: Vec<Option<i64>>,
    pub(super) labels: Vec<Option<String>>,
    pub(super) dedupe_key: Vec<Option<String>>,
    pub(super) parent_id: Vec<Option<Uuid>>,
    pub(super) parent_step: Vec<Option<i32>>,
    pub(super) parent_item: Vec<Option<i32>>,
    pub(super) parent_generation: Vec<Option<i32>>,
    pub(super) awaited: Vec<bool>,
    pub(super) actor: Vec<String>,
    pub(super) request_id: Vec<Option<String>>,
    pub(super) traceparent: Vec<Option<String>>,
    pub(super) created_at: Vec<Time>,
    pub(super) audit_id: Vec<Uuid>,
}

impl RunColumns {
    pub(crate) fn of<'a>(runs: impl Iterator<Item = &'a NewRun>) -> Self {
        let mut columns = Self::default();
        for run in runs {
            columns.push(run);
        }
        columns
    }

    fn push(&mut self, run: &NewRun) {
        let owned = |text: &str| clean(text).into_owned();
        let parent = run.parent.as_ref();
        let number = |n: u32| i32::try_from(n).unwrap_or(i32::MAX);
        self.id.push(run.id);
        self.workflow_id.push(run.workflow_id);
        self.workflow_name.push(owned(&run.workflow_name));
        self.version.push(run.version);
        self.steps_total.push(run.steps_total);
        self.input.push(run.input.get().to_owned());
        self.queue.push(owned(&run.queue));
        self.priority.push(run.priority);
        self.run_at.push(run.run_at);
        self.timeout_ms.push(run.timeout_ms);
        self.labels.push(labels_json(&run.labels));
        self.dedupe_key.push(run.dedupe_key.as_deref().map(owned));
        self.parent_id.push(parent.map(|p| p.run_id));
        self.parent_step.push(parent.map(|p| i32::from(p.key.step)));
        self.parent_item
            .push(parent.and_then(|p| p.key.item).map(number));
        self.parent_generation.push(parent.map(|p| p.generation));
        self.awaited.push(run.awaited);
        self.actor.push(owned(&run.actor.name));
        self.request_id
            .push(run.actor.request_id.as_deref().map(owned));
        self.traceparent
            .push(run.actor.traceparent.as_deref().map(owned));
        self.created_at.push(run.created_at);
        self.audit_id.push(crate::clock::id());
    }
}

/// `None` when there are none. The column is jsonb, which knows no NUL either.
fn labels_json(labels: &BTreeMap<String, String>) -> Option<String> {
    if labels.is_empty() {
        return None;
    }
    let cleaned: BTreeMap<Cow<'_, str>, Cow<'_, str>> = labels
        .iter()
        .map(|(name, value)| (clean(name), clean(value)))
        .collect();
    serde_json::to_string(&cleaned).ok()
}
