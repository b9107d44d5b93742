//! The statements of the group commit.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::batch::Batch;
use super::copy;
use crate::detached::{self, PutUpOn};
use crate::enqueue::{RunColumns, insert_runs};
use crate::place;

/// What a commit says afterwards.
#[derive(Debug, Default)]
pub(super) struct Written {
    /// `false`: the worker is not alive, or not in this epoch, and nothing was written.
    pub(super) owned: bool,
    pub(super) finished: i64,
    pub(super) updated: i64,
    /// Finished runs that somebody waits for.
    pub(super) ended: Vec<Uuid>,
    /// Queues with jobs that are due now.
    pub(super) due: Vec<String>,
    /// Runs that got a message while a driver holds them.
    pub(super) told: Vec<Uuid>,
    /// Where attempts were put up for others.
    pub(super) put_up: BTreeSet<(PutUpOn, String)>,
    /// Concurrency keys under which places became free.
    pub(super) left: Vec<place::Key>,
}

/// Writes a batch: one statement; a transaction when new runs or attempts for others come with it,
/// places are given back, or there are many rows.
/// `prompt`: the connection keeps no small write back, so that COPY is worth it.
pub(super) async fn write(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
    batch: &Batch<'_>,
    prompt: bool,
) -> Result<Written, sqlx::Error> {
    if prompt && copy::is_for(batch) {
        return copy::write(connection, worker_id, epoch, batch).await;
    }
    if batch.children.is_empty() && batch.leaving.is_empty() && batch.detached.is_empty() {
        return statement(connection, worker_id, epoch, batch).await;
    }
    let mut transaction = connection.begin().await?;
    let mut written = statement(&mut transaction, worker_id, epoch, batch).await?;
    if written.owned {
        if !batch.children.is_empty() {
            let children = RunColumns::of(batch.children.iter().copied());
            insert_runs(&mut transaction, children).await?;
            place::insert(&mut transaction, batch.children.iter().copied()).await?;
        }
        if !batch.leaving.is_empty() {
            written.left = place::leave(&mut transaction, &batch.leaving).await?;
        }
        if !batch.detached.is_empty() {
            written.put_up = detached::write(&mut transaction, &batch.detached).await?;
        }
        transaction.commit().await?;
        let queues = batch.children.iter().map(|child| child.queue.to_string());
        written.due.extend(queues);
        written.due.sort_unstable();
        written.due.dedup();
    } else {
        transaction.rollback().await?;
    }
    Ok(written)
}

/// A statement that is needed again and again.
#[derive(Clone, Copy, Debug)]
pub(super) enum Usual {
    Steps,
    Lean,
    Jobs,
}

/// Has a statement planned, by writing nothing with it.
pub(super) async fn plan(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
    usual: Usual,
) -> Result<(), sqlx::Error> {
    let nothing = Batch::default();
    match usual {
        Usual::Steps => steps(connection, worker_id, epoch, &nothing)
            .await
            .map(drop),
        Usual::Lean => lean(connection, worker_id, epoch, &nothing).await.map(drop),
        Usual::Jobs => copy::plan(connection, worker_id).await,
    }
}

async fn statement(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    if batch.is_lean() && batch.jobs.run_id.is_empty() {
        steps(connection, worker_id, epoch, batch).await
    } else if batch.is_lean() {
        lean(connection, worker_id, epoch, batch).await
    } else {
        full(connection, worker_id, epoch, batch).await
    }
}

async fn steps(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    let Batch {
        inserts: s,
        records: a,
        ..
    } = batch;
    let owned = sqlx::query_file_scalar!(
        "queries/commit_steps.sql",
        worker_id,
        epoch,
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

async fn lean(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
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
        worker_id,
        epoch,
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
    .fetch_one(connection)
    .await?;
    Ok(Written {
        owned: row.owned,
        finished: row.finished,
        ended: row.ended,
        ..Written::default()
    })
}

async fn full(
    connection: &mut PgConnection,
    worker_id: Uuid,
    epoch: i32,
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
        worker_id,
        epoch,
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
    .fetch_one(connection)
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
