//! One record as whoever follows the feed reads it: the audit record, and whose run it is about.

use serde_json::value::RawValue;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::Error;

/// A record of the audit log on its way out.
#[derive(Clone, Debug)]
pub struct FeedRecord {
    pub id: Uuid,
    pub at: Time,
    /// `run`, `step`, `agent`, `workflow`, …
    pub entity_type: String,
    /// Of a step: its run's.
    pub entity_id: Uuid,
    /// 1, 2, 3 … within the entity, without gaps.
    pub sequence: i64,
    /// The step's name, where it is about one.
    pub step: Option<String>,
    /// `run.completed`, `step.started`, …
    pub action: String,
    pub before: Option<Box<RawValue>>,
    pub after: Option<Box<RawValue>>,
    pub detail: Option<Box<RawValue>>,
    pub actor: String,
    pub request_id: Option<String>,
    /// Of a run or a step, as long as the run's row is kept.
    pub workflow_id: Option<Uuid>,
    /// The slug at the time of the run.
    pub workflow_name: Option<String>,
}

impl FeedRecord {
    /// Whether it tells of a run or of a step of one.
    #[must_use]
    pub fn is_of_run(&self) -> bool {
        matches!(self.entity_type.as_str(), "run" | "step")
    }

    /// Returns why the run or the attempt failed of which it tells so. The record keeps it: the run's row
    /// forgets it with a retry.
    #[must_use]
    pub fn error(&self) -> Option<Box<RawValue>> {
        #[derive(serde::Deserialize)]
        struct Detail {
            #[serde(default)]
            error: Option<Box<RawValue>>,
        }
        serde_json::from_str::<Detail>(self.detail.as_ref()?.get())
            .ok()?
            .error
    }
}

/// Reads a JSON column that came as text.
pub(super) fn json(text: Option<String>) -> Result<Option<Box<RawValue>>, Error> {
    text.map(RawValue::from_string)
        .transpose()
        .map_err(|error| Error::Corrupt(format!("an audit record: {error}")))
}
