//! Records: what comes in from elsewhere and is to be processed once, by a run of the workflow that
//! its category is bound to.
//!
//! A record's status follows its run in the run's own transaction (`stepwell.run_turned`), whoever
//! ends or reopens it: there is no moment, and no crash, after which the two differ. [`process`] ties
//! a record to its run, [`route`] says which workflow a category is bound to, [`summary`] counts.

mod create;
mod list;
mod process;
mod route;
mod summary;

use serde_json::value::RawValue;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::new_run::{Answer, Idempotency};
use crate::{Actor, NewRun};

pub use list::{RecordFilter, RecordPage, RecordSort};
pub use process::Processed;
pub use route::{NewRoute, Route, RouteCreated, RoutePage};
pub use summary::{CATEGORIES_MAX, Summary, SummaryFilter};

/// The entity type of audit records.
const ENTITY: &str = "record";
/// The label by which a run names the record that it processes: `stepwell.run_turned` reads it.
pub const LABEL: &str = "stepwell/record";

/// A record as it stands.
#[derive(Clone, Debug)]
pub struct Record {
    pub id: Uuid,
    pub source: String,
    pub category: String,
    /// `pending`, `processing`, `processed` or `failed`.
    pub status: String,
    pub payload: Box<RawValue>,
    /// The one run that processes it.
    pub run_id: Option<Uuid>,
    pub created_by: String,
    pub created_at: Time,
    pub updated_at: Time,
}

/// A record that comes in.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// UUIDv7, made at `created_at`.
    pub id: Uuid,
    pub source: String,
    pub category: String,
    pub payload: Box<RawValue>,
    /// The run that processes it at once.
    pub run: Option<NewRun>,
    pub actor: Actor,
    pub created_at: Time,
    pub idempotency: Option<Idempotency>,
}

impl NewRecord {
    /// Returns the record as it will be once it is made.
    #[must_use]
    pub fn record(&self) -> Record {
        Record {
            id: self.id,
            source: self.source.clone(),
            category: self.category.clone(),
            status: status_of(self.run.as_ref()).to_owned(),
            payload: self.payload.clone(),
            run_id: self.run.as_ref().map(|run| run.id),
            created_by: self.actor.name.clone(),
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }
}

const fn status_of(run: Option<&NewRun>) -> &'static str {
    if run.is_some() {
        "processing"
    } else {
        "pending"
    }
}

/// What came of making a record.
#[derive(Clone, Debug)]
pub enum Created {
    Done,
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
}
