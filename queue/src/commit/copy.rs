//! A large commit of the common kind: step rows and audit records by COPY, jobs by a statement.

use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::batch::{Batch, JobColumns, StepColumns};
use super::write::{Writer, Written};
use crate::audit::AuditColumns;
use crate::copy::CopyRows;
use crate::day::On;

use crate::transaction;

/// Rows from which COPY is worth its seven round trips more: they cost as much processor time as it
/// saves on about so many rows.
const ROWS_MIN: usize = 250;

const STEPS: &str = "copy stepwell.step
    (run_id, step, item, generation, name, kind, status, attempt, max_attempts, input, output, error,
     started_at, finished_at, wake_at, child_run_id, worker_id) from stdin (format binary)";
const STEP_FIELDS: i16 = 17;
/// About what a step's row takes without its payloads.
const STEP_BYTES: usize = 192;

// Every column that has a volatile default is named: with such a default COPY writes row by row.
const RECORDS: &str = "copy stepwell.audit
    (id, entity_type, entity_id, sequence, at, step, action, before, after, detail, actor, request_id)
    from stdin (format binary)";
const RECORD_FIELDS: i16 = 12;
/// About what a record takes.
const RECORD_BYTES: usize = 224;

/// Whether a batch is better written here.
pub(super) fn is_for(batch: &Batch<'_>) -> bool {
    let rows = batch.inserts.run_id.len() + batch.records.id.len();
    rows >= ROWS_MIN
        && batch.is_lean()
        && batch.children.is_empty()
        && batch.leaving.is_empty()
        && batch.detached.is_empty()
}

/// Writes the batch in a transaction that holds the worker's row against being marked dead (D4).
pub(super) async fn write(
    connection: &mut PgConnection,
    writer: Writer,
    on: On,
    batch: &Batch<'_>,
) -> Result<Written, sqlx::Error> {
    let mut transaction = transaction::begin(connection).await?;
    let held = sqlx::query!(
        r#"select 'worker:' || number as "actor!", clock_timestamp() as "at!"
           from stepwell.worker
           where id = $1 and epoch = $2 and status in ('alive', 'draining')
           for key share"#,
        writer.worker_id,
        writer.epoch
    )
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(held) = held else {
        transaction.rollback().await?;
        return Ok(Written::default());
    };
    if !batch.inserts.run_id.is_empty() {
        let rows = steps(&batch.inserts, writer.worker_id);
        rows.write(&mut transaction, STEPS).await?;
    }
    if !batch.records.id.is_empty() {
        let rows = records(&batch.records, &held.actor, held.at);
        rows.write(&mut transaction, RECORDS).await?;
    }
    let written = if batch.jobs.run_id.is_empty() {
        Written::default()
    } else {
        jobs(&mut transaction, writer, on, &batch.jobs).await?
    };
    transaction.commit().await?;
    Ok(Written {
        owned: true,
        ..written
    })
}

fn steps(s: &StepColumns<'_>, worker_id: Uuid) -> CopyRows {
    let payloads = [&s.input, &s.output, &s.error];
    let payloads = payloads.into_iter().flatten().flatten();
    let bytes: usize = payloads.map(|json| json.len()).sum();
    let mut rows = CopyRows::new(s.run_id.len() * STEP_BYTES + bytes);
    for n in 0..s.run_id.len() {
        rows.row(STEP_FIELDS)
            .uuid(s.run_id[n])
            .int2(s.step[n])
            .int4(s.item[n])
            .int4(s.generation[n])
            .text(s.name[n])
            .text(s.kind[n])
            .text(s.status[n])
            .int2(s.attempt[n])
            .int2(s.max_attempts[n])
            .text_or_null(s.input[n])
            .text_or_null(s.output[n])
            .text_or_null(s.error[n])
            .moment_or_null(s.started_at[n])
            .moment_or_null(s.finished_at[n])
            .moment_or_null(s.wake_at[n])
            .uuid_or_null(s.child_run_id[n])
            .uuid(worker_id);
    }
    rows
}

fn records(a: &AuditColumns<'_>, writer: &str, at: Time) -> CopyRows {
    let mut rows = CopyRows::new(a.id.len() * RECORD_BYTES);
    for n in 0..a.id.len() {
        let entity_type = if a.step[n].is_some() { "step" } else { "run" };
        rows.row(RECORD_FIELDS)
            .uuid(a.id[n])
            .text(entity_type)
            .uuid(a.entity_id[n])
            .int8(a.sequence[n])
            .moment(at)
            .text_or_null(a.step[n])
            .text(a.action[n])
            .json_word_or_null(a.before[n])
            .json_word_or_null(a.after[n])
            .text_or_null(a.detail[n])
            .text(a.actor[n].unwrap_or(writer))
            .text_or_null(a.request_id[n]);
    }
    rows
}

/// What becomes of the jobs and their runs.
pub(super) async fn jobs(
    connection: &mut PgConnection,
    writer: Writer,
    on: On,
    j: &JobColumns<'_>,
) -> Result<Written, sqlx::Error> {
    let row = sqlx::query_file!(
        "queries/commit_jobs.sql",
        writer.worker_id,
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
        finished: row.finished,
        ended: row.ended,
        ..Written::default()
    })
}
