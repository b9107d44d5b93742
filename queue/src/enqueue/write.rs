//! The statements that write new runs, and those that say which earlier run is in the way.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::value::RawValue;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Enqueued, RunColumns};
use crate::new_run::{Answer, Idempotency};
use crate::text::clean;
use crate::{Error, NewRun};

/// Writes runs, jobs and audit records in one statement.
pub(crate) async fn insert_runs(
    connection: &mut PgConnection,
    columns: RunColumns,
) -> Result<(), sqlx::Error> {
    let c = columns;
    sqlx::query_file!(
        "queries/enqueue.sql",
        &c.id,
        &c.workflow_id,
        &c.workflow_name,
        &c.version,
        &c.steps_total,
        &c.input,
        &c.queue,
        &c.priority,
        &c.run_at as _,
        &c.timeout_ms as _,
        &c.labels as _,
        &c.dedupe_key as _,
        &c.parent_id as _,
        &c.parent_step as _,
        &c.parent_item as _,
        &c.parent_generation as _,
        &c.awaited,
        &c.actor,
        &c.request_id as _,
        &c.traceparent as _,
        &c.created_at,
        &c.audit_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps where the ends of these runs are told, of those that say so.
pub(super) async fn keep_callbacks<'a>(
    connection: &mut PgConnection,
    runs: impl Iterator<Item = &'a NewRun>,
) -> Result<(), sqlx::Error> {
    let (ids, urls): (Vec<_>, Vec<_>) = runs
        .filter_map(|run| Some((run.id, run.callback_url.clone()?)))
        .unzip();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into stepwell.callback (run_id, url)
         select unnest($1::uuid[]), unnest($2::text[])",
        &ids,
        &urls,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Takes the keys of these runs, each of which occurs once; returns the runs that got all of
/// theirs; `None` when somebody was faster with one of a run's two keys: roll back and ask again.
pub(super) async fn reserve(
    connection: &mut PgConnection,
    runs: &[&NewRun],
) -> Result<Option<HashSet<Uuid>>, Error> {
    let keys: Vec<_> = runs.iter().map(|run| run.idempotency.as_ref()).collect();
    let place: Vec<i32> = (0..).take(runs.len()).collect();
    let id: Vec<_> = runs.iter().map(|run| run.id).collect();
    let workflow_id: Vec<_> = runs.iter().map(|run| run.workflow_id).collect();
    let owned = |text: &str| clean(text).into_owned();
    let dedupe_key: Vec<_> = runs
        .iter()
        .map(|run| run.dedupe_key.as_deref().map(owned))
        .collect();
    let scope: Vec<_> = keys.iter().map(|k| k.map(|k| owned(&k.scope))).collect();
    let key: Vec<_> = keys.iter().map(|k| k.map(|k| owned(&k.key))).collect();
    let fingerprint: Vec<_> = keys.iter().map(|k| k.map(|k| &*k.fingerprint)).collect();
    let status: Vec<_> = keys
        .iter()
        .map(|k| k.map(|k| status_of(&k.answer)))
        .collect();
    let location: Vec<_> = keys
        .iter()
        .map(|k| k.and_then(|k| k.answer.location.as_deref()))
        .collect();
    let body: Vec<_> = keys
        .iter()
        .map(|k| k.map(|k| k.answer.body.get()))
        .collect();
    let rows = sqlx::query_file!(
        "queries/reserve.sql",
        &place,
        &id,
        &workflow_id,
        &dedupe_key as _,
        &scope as _,
        &key as _,
        &fingerprint as _,
        &status as _,
        &location as _,
        &body as _,
    )
    .fetch_all(connection)
    .await?;
    let mut admitted = HashSet::new();
    for row in rows {
        let Some(run) = usize::try_from(row.place).ok().and_then(|n| runs.get(n)) else {
            continue;
        };
        match (row.keyed, row.held) {
            (true, true) => {
                admitted.insert(run.id);
            }
            (false, _) if run.dedupe_key.is_none() => {}
            (_, false) if run.idempotency.is_none() => {}
            (false, false) => {}
            // One key taken, the other missed.
            _ => return Ok(None),
        }
    }
    Ok(Some(admitted))
}

/// Takes one idempotency key; `false` when it is taken.
pub(crate) async fn take_key(
    connection: &mut PgConnection,
    idempotency: &Idempotency,
) -> Result<bool, Error> {
    let answer = &idempotency.answer;
    let done = sqlx::query!(
        "insert into stepwell.idempotency (scope, key, fingerprint, status, location, body)
         values ($1, $2, $3, $4, $5, $6::text::json) on conflict do nothing",
        clean(&idempotency.scope) as _,
        clean(&idempotency.key) as _,
        idempotency.fingerprint,
        status_of(answer),
        answer.location,
        answer.body.get(),
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says what the earlier use of this key came to; `None` when it is gone again.
pub(crate) async fn earlier_answer(
    connection: &mut PgConnection,
    idempotency: &Idempotency,
) -> Result<Option<Enqueued>, Error> {
    let row = sqlx::query!(
        r#"select fingerprint, status, location, body::text as "body!"
           from stepwell.idempotency where scope = $1 and key = $2"#,
        clean(&idempotency.scope) as _,
        clean(&idempotency.key) as _,
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(None) };
    if row.fingerprint != idempotency.fingerprint {
        return Ok(Some(Enqueued::KeyReused));
    }
    let body = RawValue::from_string(row.body)
        .map_err(|e| Error::Corrupt(format!("the answer kept for a key: {e}")))?;
    Ok(Some(Enqueued::Replayed(Answer {
        status: u16::try_from(row.status).unwrap_or_default(),
        location: row.location,
        body: Arc::from(body),
    })))
}

/// Says why this run was not admitted; `None` when nothing is in the way any more.
pub(super) async fn conflict(
    connection: &mut PgConnection,
    run: &NewRun,
) -> Result<Option<Enqueued>, Error> {
    if let Some(idempotency) = &run.idempotency
        && let Some(answer) = earlier_answer(connection, idempotency).await?
    {
        return Ok(Some(answer));
    }
    let Some(key) = &run.dedupe_key else {
        return Ok(None);
    };
    let row = sqlx::query!(
        "select run_id from stepwell.dedupe where workflow_id = $1 and key = $2",
        run.workflow_id,
        clean(key) as _,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Enqueued::Duplicate { run_id: row.run_id }))
}

fn status_of(answer: &Answer) -> i16 {
    i16::try_from(answer.status).unwrap_or(i16::MAX)
}
