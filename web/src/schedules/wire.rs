//! Schedules as clients send and see them.

use std::collections::BTreeMap;

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::schedule;
use uuid::Uuid;

use crate::example::Example;
use crate::json::{Json, given};
use crate::moment::Moment;

/// A schedule to be: what POST and PUT take.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "ScheduleInput"))]
pub struct ScheduleInput {
    /// Unique.
    #[salvo(schema(
        max_length = 100,
        pattern = "^[A-Za-z0-9]([A-Za-z0-9 ._-]*[A-Za-z0-9])?$"
    ))]
    pub name: String,
    /// The slug or id.
    pub workflow: String,
    /// The latest at the time of each firing when absent.
    #[serde(default)]
    #[salvo(schema(minimum = 1))]
    pub version: Option<i32>,
    /// Of every run; checked against the version's `input_schema`; `{}` when absent.
    #[serde(default, deserialize_with = "given")]
    #[salvo(schema(value_type = Json, required = false))]
    pub input: Option<Json>,
    /// Minute, hour, day, month and weekday; or six fields, with seconds in front; or a word such
    /// as `@daily`.
    #[salvo(schema(max_length = 512))]
    pub cron: String,
    /// The clock that counts, by its IANA name.
    #[serde(default = "utc")]
    #[salvo(schema(default = "UTC"))]
    pub time_zone: String,
    /// What to do while the run before is not over: `allow` (the default), `skip` this firing, or
    /// `cancel_running`.
    #[serde(default = "allow")]
    #[salvo(schema(default = "allow"))]
    pub overlap: String,
    /// Firings missed by more than a minute that are made up for, the last ones.
    #[serde(default = "one")]
    #[salvo(schema(minimum = 0, maximum = 100, default = 1))]
    pub catch_up: i64,
    /// Of every run.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The lane of workers; `default` when absent.
    #[serde(default)]
    #[salvo(schema(pattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"))]
    pub queue: Option<String>,
    /// Of every run; the highest is next.
    #[serde(default)]
    #[salvo(schema(minimum = -100, maximum = 100, default = 0))]
    pub priority: i64,
    /// `active` (the default) or `paused`.
    #[serde(default = "active")]
    #[salvo(schema(default = "active"))]
    pub status: String,
}

fn utc() -> String {
    "UTC".into()
}

fn allow() -> String {
    "allow".into()
}

fn active() -> String {
    "active".into()
}

const fn one() -> i64 {
    1
}

impl Example for ScheduleInput {
    fn example() -> Value {
        json!({
            "name": "nightly-report", "workflow": "report", "input": {"scope": "all"},
            "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "overlap": "skip",
            "catch_up": 1,
        })
    }
}

/// What starts runs by the clock.
#[derive(Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Schedule"))]
pub struct Schedule {
    pub id: Uuid,
    pub name: String,
    pub workflow: String,
    pub version: Option<i32>,
    #[salvo(schema(value_type = Json))]
    pub input: Json,
    pub cron: String,
    pub time_zone: String,
    /// `allow`, `skip` or `cancel_running`.
    pub overlap: String,
    pub catch_up: i32,
    pub labels: BTreeMap<String, String>,
    pub queue: String,
    pub priority: i16,
    /// `active` or `paused`.
    pub status: String,
    /// The next firing; null while it is paused.
    pub next_at: Option<Moment>,
    /// The firing that the last run is of.
    pub last_at: Option<Moment>,
    pub last_run_id: Option<Uuid>,
    /// Why the last firing made no run; null when it made one.
    pub last_error: Option<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

impl From<schedule::Schedule> for Schedule {
    fn from(schedule: schedule::Schedule) -> Self {
        Self {
            id: schedule.id,
            name: schedule.name,
            workflow: schedule.workflow,
            version: schedule.version,
            input: Json(schedule.input),
            cron: schedule.cron,
            time_zone: schedule.time_zone,
            overlap: schedule.overlap,
            catch_up: schedule.catch_up,
            labels: schedule.labels,
            queue: schedule.queue,
            priority: schedule.priority,
            status: schedule.status,
            next_at: schedule.next_at.map(Moment::from),
            last_at: schedule.last_at.map(Moment::from),
            last_run_id: schedule.last_run_id,
            last_error: schedule.last_error,
            created_at: schedule.created_at.into(),
            updated_at: schedule.updated_at.into(),
        }
    }
}

impl Example for Schedule {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "name": "nightly-report",
            "workflow": "report", "version": null, "input": {"scope": "all"},
            "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "overlap": "skip", "catch_up": 1,
            "labels": {}, "queue": "default", "priority": 0, "status": "active",
            "next_at": "2026-03-02T01:30:00.000Z", "last_at": "2026-03-01T01:30:00.000Z",
            "last_run_id": "0199b6d4-77aa-7c02-9d7e-5a0e7c1f2b34", "last_error": null,
            "created_at": "2026-02-01T12:00:00.000Z", "updated_at": "2026-02-01T12:00:00.000Z",
        })
    }
}
