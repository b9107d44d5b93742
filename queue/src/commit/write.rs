//! One group commit: a statement, or a transaction of several.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use uuid::Uuid;

use super::batch::Batch;
use super::{copy, statement};
use crate::day::Days;
use crate::detached::{self, PutUpOn};
use crate::enqueue::{RunColumns, insert_runs};
use crate::place;

use crate::transaction;

/// Who commits, and whose the jobs must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Writer {
    pub(super) worker_id: Uuid,
    pub(super) epoch: i32,
}

impl Writer {
    /// Owns nothing, and locks no row.
    pub(super) const NOBODY: Self = Self {
        worker_id: Uuid::nil(),
        epoch: 0,
    };
}

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
    writer: Writer,
    days: &Days,
    batch: &Batch<'_>,
    prompt: bool,
) -> Result<Written, sqlx::Error> {
    let on = days.of(connection, batch.runs_changed()).await?;
    if prompt && copy::is_for(batch) {
        return copy::write(connection, writer, on, batch).await;
    }
    if batch.children.is_empty() && batch.leaving.is_empty() && batch.detached.is_empty() {
        return statement::write(connection, writer, on, batch).await;
    }
    let mut transaction = transaction::begin(connection).await?;
    let mut written = statement::write(&mut transaction, writer, on, batch).await?;
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
    writer: Writer,
    days: &Days,
    usual: Usual,
) -> Result<(), sqlx::Error> {
    let nothing = Batch::default();
    let on = days.today(connection).await?;
    match usual {
        Usual::Steps => statement::steps(connection, writer, &nothing).await,
        Usual::Lean => statement::lean(connection, writer, on, &nothing).await,
        Usual::Jobs => copy::jobs(connection, writer, on, &nothing.jobs).await,
    }
    .map(drop)
}
