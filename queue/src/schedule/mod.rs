//! Schedules start runs by the clock. There is no scheduler process: every API and worker looks when
//! the next one is due ([`clock`]), and whoever locks its row first makes the run and moves the row to
//! the next firing in one transaction ([`fire`]). So a firing happens once, however many look and
//! whatever dies.
//!
//! [`rhythm`] knows cron, time zones and daylight saving, [`turn`] what a late look makes up for.

mod change;
pub(crate) mod clock;
mod fire;
mod new;
mod now;
mod pause;
mod read;
mod rhythm;
mod turn;

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use stepwell_workflow::Time;
use uuid::Uuid;

pub use new::NewSchedule;
pub use now::{NowRun, Started};
pub use read::{ScheduleFilter, ScheduleSort};
pub use rhythm::Rhythm;

use crate::new_run::Answer;
use crate::{Error, Revision};

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "schedule";

/// Missed firings that one schedule may make up for: what is more than that is a backlog.
pub const CATCH_UP_MAX: i32 = 100;

/// What happens when a schedule fires while the run before is not over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overlap {
    /// Both run.
    Allow,
    /// The firing makes no run.
    Skip,
    /// The run before is cancelled.
    CancelRunning,
}

impl Overlap {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[Self::Allow, Self::Skip, Self::CancelRunning];

    /// Returns the word for it in SQL and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Skip => "skip",
            Self::CancelRunning => "cancel_running",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == word)
    }
}

/// A schedule as it is kept.
#[derive(Clone, Debug)]
pub struct Schedule {
    pub id: Uuid,
    pub name: String,
    /// The slug or id, as it was given.
    pub workflow: String,
    /// `None`: the latest at the time of each firing.
    pub version: Option<i32>,
    pub input: Box<RawValue>,
    pub cron: String,
    pub time_zone: String,
    /// `allow`, `skip` or `cancel_running`.
    pub overlap: String,
    /// Missed firings that are made up for.
    pub catch_up: i32,
    pub labels: BTreeMap<String, String>,
    pub queue: String,
    pub priority: i16,
    /// `active` or `paused`.
    pub status: String,
    pub next_at: Option<Time>,
    /// The firing that the last run is of.
    pub last_at: Option<Time>,
    pub last_run_id: Option<Uuid>,
    /// Why the last firing made no run.
    pub last_error: Option<String>,
    /// 1, 2, 3 …: the number of its changes.
    pub revision: i64,
    /// Of its last audit record.
    pub(crate) sequence: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

impl Schedule {
    /// Returns when it fires.
    pub(super) fn rhythm(&self) -> Result<Rhythm, Error> {
        Rhythm::read(&self.cron, &self.time_zone)
            .map_err(|why| Error::Corrupt(format!("schedule {}: {why}", self.id)))
    }
}

/// What came of a change to a schedule.
#[derive(Debug)]
pub enum Changed {
    /// Done, audited and committed.
    Done(Box<Schedule>),
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    NotFound,
    /// Another schedule has the name.
    NameTaken,
    /// The schedule is not at one of the expected revisions.
    Stale {
        revision: Revision,
    },
}
