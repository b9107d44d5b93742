//! What is stored of a run, before it is a driver's.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{RunHeader, RunStatus, StepKey, Time};
use uuid::Uuid;

use super::load;
use super::take::Lease;
use crate::day::Days;

/// The columns of a run's row that its driver needs.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) run_id: Uuid,
    pub(super) workflow_id: Uuid,
    pub(super) workflow_name: String,
    pub(super) version: i32,
    pub(super) generation: i32,
    pub(super) input: Option<String>,
    pub(super) created_at: Time,
    pub(super) timeout_ms: Option<i64>,
    pub(super) parent_id: Option<Uuid>,
    pub(super) parent_step: Option<i32>,
    pub(super) parent_item: Option<i32>,
    pub(super) parent_generation: Option<i32>,
    pub(super) request_id: Option<String>,
    pub(super) traceparent: Option<String>,
}

/// Reads those of runs that began on whatever day. Runs that are gone are missing.
pub(super) async fn read(
    connection: &mut PgConnection,
    days: &Days,
    run_ids: &[Uuid],
) -> Result<HashMap<Uuid, Stored>, sqlx::Error> {
    let on = days.of(connection, run_ids.iter().copied()).await?;
    let rows = sqlx::query_file_as!(Stored, "queries/run_headers.sql", run_ids)
        .fetch_all(on.connection(connection))
        .await?;
    Ok(rows.into_iter().map(|row| (row.run_id, row)).collect())
}

impl Stored {
    /// What the driver starts from. `Err`: the input cannot be read.
    pub(super) fn header(self, lease: &Lease) -> Result<RunHeader, String> {
        let parent = self.parent();
        let input = load::value(self.input).map_err(|problem| format!("input: {problem}"))?;
        Ok(RunHeader {
            id: self.run_id,
            workflow_id: self.workflow_id,
            workflow_name: Arc::from(self.workflow_name),
            version: self.version,
            generation: self.generation,
            status: match lease.started_at {
                Some(_) => RunStatus::Running,
                None => RunStatus::Pending,
            },
            input: input.unwrap_or_else(|| Arc::new(Value::Null)),
            created_at: self.created_at,
            started_at: lease.started_at,
            timeout_ms: self.timeout_ms,
            sequence: lease.sequence,
            paused: lease.paused,
            parent,
        })
    }

    /// The step that waits for this run, if one does.
    pub(super) fn parent(&self) -> Option<Parent> {
        Some(Parent {
            run_id: self.parent_id?,
            key: StepKey {
                step: u16::try_from(self.parent_step?).ok()?,
                item: self.parent_item.and_then(|item| u32::try_from(item).ok()),
            },
            generation: self.parent_generation.unwrap_or(1),
        })
    }
}
