//! A schedule as clients ask for it.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::{Overlap, Rhythm, Schedule};
use crate::text::clean;

/// What clients decide about a schedule; checked by the caller.
#[derive(Clone, Debug)]
pub struct NewSchedule {
    pub name: String,
    pub workflow: String,
    pub version: Option<i32>,
    pub input: Box<RawValue>,
    pub cron: String,
    pub time_zone: String,
    /// What the two before come to.
    pub rhythm: Rhythm,
    pub overlap: Overlap,
    pub catch_up: i32,
    pub labels: BTreeMap<String, String>,
    pub queue: String,
    pub priority: i16,
    pub active: bool,
}

impl NewSchedule {
    pub(super) const fn status(&self) -> &'static str {
        if self.active { "active" } else { "paused" }
    }

    pub(super) fn next_after(&self, now: Time) -> Option<Time> {
        self.active.then(|| self.rhythm.after(now)).flatten()
    }

    pub(super) fn kept_labels(&self) -> Value {
        self.labels
            .iter()
            .map(|(key, value)| (clean(key).into_owned(), Value::from(clean(value))))
            .collect()
    }
}

impl Schedule {
    /// Returns the schedule as it will be kept.
    #[must_use]
    pub fn fresh(id: Uuid, at: Time, new: &NewSchedule) -> Self {
        Self {
            id,
            name: new.name.clone(),
            workflow: new.workflow.clone(),
            version: new.version,
            input: new.input.clone(),
            cron: new.cron.clone(),
            time_zone: new.time_zone.clone(),
            overlap: new.overlap.as_str().to_owned(),
            catch_up: new.catch_up,
            labels: new.labels.clone(),
            queue: new.queue.clone(),
            priority: new.priority,
            status: new.status().to_owned(),
            next_at: new.next_after(at),
            last_at: None,
            last_run_id: None,
            last_error: None,
            revision: 1,
            sequence: 1,
            created_at: at,
            updated_at: at,
        }
    }
}
