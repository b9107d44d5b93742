//! The statements of the group commit: the narrowest that will do.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::batch::Batch;
use super::write::{Writer, Written};
use crate::day::On;

/// Writes what a statement by itself can write.
pub(super) async fn write(
    connection: &mut PgConnection,
    writer: Writer,
    on: On,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    if batch.is_lean() && batch.jobs.run_id.is_empty() {
        steps(connection, writer, batch).await
    } else if batch.is_lean() {
        lean(connection, writer, on, batch).await
    } else {
        full(connection, writer, on, batch).await
    }
}

/// Of runs that go on: no row changes, so no day matters.
pub(super) async fn steps(
    connection: &mut PgConnection,
    writer: Writer,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    let Batch {
        inserts: s,
        records: a,
        ..
    } = batch;
    let owned = sqlx::query_file_scalar!(
        "queries/commit_steps.sql",
        writer.worker_id,
        writer.epoch,
        &s.run_id,
        &s.step,
        &s.item,
        &s.generation,
        &s.name as _,
        &s.kind as _,
        &s.status as _,
        &s.attempt,
        &s.max_attempts,
        &s.input as _,
        &s.output as _,
        &s.error as _,
        &s.started_at as _,
        &s.finished_at as _,
        &s.wake_at as _,
        &s.child_run_id as _,
        &a.id,
        &a.entity_id,
        &a.sequence,
        &a.step as _,
        &a.action as _,
        &a.before as _,
        &a.after as _,
        &a.detail as _,
        &a.actor as _,
        &a.request_id as _,
    )
    .fetch_one(connection)
    .await?;
    Ok(Written {
        owned,
        ..Written::default()
    })
}

/// The common case.
pub(super) async fn lean(
    connection: &mut PgConnection,
    writer: Writer,
    on: On,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    let Batch {
        inserts: s,
        records: a,
        jobs: j,
        ..
    } = batch;
    let row = sqlx::query_file!(
        "queries/commit_lean.sql",
        writer.worker_id,
        writer.epoch,
        &s.run_id,
        &s.step,
        &s.item,
        &s.generation,
        &s.name as _,
        &s.kind as _,
        &s.status as _,
        &s.attempt,
        &s.max_attempts,
        &s.input as _,
        &s.output as _,
        &s.error as _,
        &s.started_at as _,
        &s.finished_at as _,
        &s.wake_at as _,
        &s.child_run_id as _,
        &a.id,
        &a.entity_id,
        &a.sequence,
        &a.step as _,
        &a.action as _,
        &a.before as _,
        &a.after as _,
        &a.detail as _,
        &a.actor as _,
        &a.request_id as _,
        &j.run_id,
        &j.turn as _,
        &j.sequence,
        &j.started_at as _,
        &j.generation,
        &j.status as _,
        &j.output as _,
        &j.error as _,
        &j.finished_at as _,
        &j.cancelled_by as _,
        &j.cancel_reason as _,
    )
    .fetch_one(on.connection(connection))
    .await?;
    Ok(Written {
        owned: row.owned,
        finished: row.finished,
        ended: row.ended,
        ..Written::default()
    })
}

/// All that there can be.
async fn full(
    connection: &mut PgConnection,
    writer: Writer,
    on: On,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    let Batch {
        inserts: s,
        updates: u,
        records: a,
        jobs: j,
        messages: m,
        ..
    } = batch;
    let row = sqlx::query_file!(
        "queries/commit.sql",
        writer.worker_id,
        writer.epoch,
        &s.run_id,
        &s.step,
        &s.item,
        &s.generation,
        &s.name as _,
        &s.kind as _,
        &s.status as _,
        &s.attempt,
        &s.max_attempts,
        &s.input as _,
        &s.output as _,
        &s.error as _,
        &s.started_at as _,
        &s.finished_at as _,
        &s.wake_at as _,
        &s.child_run_id as _,
        &a.id,
        &a.entity_id,
        &a.sequence,
        &a.step as _,
        &a.action as _,
        &a.before as _,
        &a.after as _,
        &a.detail as _,
        &a.actor as _,
        &a.request_id as _,
        &j.run_id,
        &j.turn as _,
        &j.sequence,
        &j.started_at as _,
        &j.generation,
        &j.status as _,
        &j.output as _,
        &j.error as _,
        &j.finished_at as _,
        &j.cancelled_by as _,
        &j.cancel_reason as _,
        &j.consumed,
        &j.added,
        &j.wake_at as _,
        &j.blocked_on as _,
        &j.paused as _,
        &j.deaths,
        &u.run_id,
        &u.step,
        &u.item,
        &u.generation,
        &u.status as _,
        &u.attempt,
        &u.max_attempts,
        &u.input as _,
        &u.output as _,
        &u.error as _,
        &u.started_at as _,
        &u.finished_at as _,
        &u.wake_at as _,
        &u.child_run_id as _,
        &batch.consumed,
        &m.run_id,
        &m.kind as _,
        &m.payload as _,
        &m.actor as _,
        &m.request_id as _,
    )
    .fetch_one(on.connection(connection))
    .await?;
    Ok(Written {
        owned: row.owned,
        finished: row.finished,
        updated: row.updated,
        ended: row.ended,
        due: row.due,
        told: row.told,
        put_up: BTreeSet::new(),
        left: Vec::new(),
    })
}
