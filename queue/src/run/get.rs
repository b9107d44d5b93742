//! One run, or several by their ids.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::PgConnection;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::Run;
use super::standing::{Job, run_status, standing};
use crate::day::{self, On};
use crate::page::length;
use crate::{Error, Store};

/// A run row with its job row, as every read of runs selects them.
pub(super) struct Row {
    pub(super) id: Uuid,
    pub(super) workflow_id: Uuid,
    pub(super) workflow_name: String,
    pub(super) version: i32,
    pub(super) status: String,
    pub(super) input: Option<Json<Box<RawValue>>>,
    pub(super) output: Option<Json<Box<RawValue>>>,
    pub(super) error: Option<Json<Box<RawValue>>>,
    pub(super) labels: Option<Json<BTreeMap<String, String>>>,
    pub(super) priority: i16,
    pub(super) queue: String,
    pub(super) generation: i32,
    pub(super) parent_id: Option<Uuid>,
    pub(super) forked_from: Option<Uuid>,
    pub(super) created_at: Time,
    pub(super) started_at: Option<Time>,
    pub(super) finished_at: Option<Time>,
    pub(super) triggered_by: String,
    pub(super) cancelled_by: Option<String>,
    pub(super) cancel_reason: Option<String>,
    pub(super) steps_total: i32,
    pub(super) steps_done: i64,
    pub(super) job_state: Option<String>,
    pub(super) job_paused: Option<bool>,
    pub(super) job_begun: Option<bool>,
    pub(super) job_run_at: Option<Time>,
    pub(super) job_blocked_on: Option<Json<Box<RawValue>>>,
}

impl Row {
    /// Returns how much of a page it takes.
    pub(super) fn bytes(&self) -> usize {
        length(self.input.as_ref()) + length(self.output.as_ref()) + length(self.error.as_ref())
    }
}

impl TryFrom<Row> for Run {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let stored = run_status(&row.status)
            .ok_or_else(|| Error::Corrupt(format!("run {}: status {}", row.id, row.status)))?;
        let job = row.job_state.map(|state| Job {
            state,
            paused: row.job_paused.unwrap_or(false),
            begun: row.job_begun.unwrap_or(false),
            run_at: row.job_run_at,
            blocked_on: row.job_blocked_on.map(|json| json.0),
        });
        let (status, blocked_on) = standing(stored, row.created_at, job)
            .map_err(|fault| Error::Corrupt(format!("run {}: blocked_on: {fault}", row.id)))?;
        Ok(Self {
            id: row.id,
            workflow_id: row.workflow_id,
            workflow_name: row.workflow_name,
            version: row.version,
            status,
            blocked_on,
            input: row.input.map(|json| json.0),
            output: row.output.map(|json| json.0),
            error: row.error.map(|json| json.0),
            labels: row.labels.map(|json| json.0).unwrap_or_default(),
            priority: row.priority,
            queue: row.queue,
            generation: row.generation,
            parent_id: row.parent_id,
            forked_from: row.forked_from,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            triggered_by: row.triggered_by,
            cancelled_by: row.cancelled_by,
            cancel_reason: row.cancel_reason,
            steps_total: row.steps_total,
            steps_done: row.steps_done,
        })
    }
}

impl Store {
    /// Reads a run as it stands.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn run(&self, id: Uuid) -> Result<Option<Run>, Error> {
        let mut connection = self.lookups.acquire().await?;
        let on = self.desk.days.of(&mut connection, [id]).await?;
        let row = match read(&mut connection, on, id).await {
            Err(error) if day::is_gone(&error) => read(&mut connection, On::ALL, id).await?,
            row => row?,
        };
        row.map(Run::try_from).transpose()
    }
}

async fn read(connection: &mut PgConnection, on: On, id: Uuid) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_file_as!(Row, "queries/run/get.sql", id)
        .fetch_optional(on.connection(connection))
        .await
}
