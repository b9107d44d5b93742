//! Reads what is next of many runs, each from its own place, in one statement.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::places::BUFFER;
use super::{FeedRecord, Watched};
use crate::Error;
use crate::feed::record::json;
use crate::link::{Link, timed_out};
use crate::run::bounds::smallest_id_about;

/// How long a reading may take before the connection is given up.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// One record as it was read: which run, after which number, what.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) run_id: Uuid,
    pub(super) after: i64,
    pub(super) watched: Watched,
}

/// Reads what is next at these places, in one statement.
pub(super) async fn read(
    link: &mut Link,
    places: &BTreeSet<(Uuid, i64)>,
) -> Result<Vec<Read>, Error> {
    let run_ids: Vec<_> = places.iter().map(|(run_id, _)| *run_id).collect();
    let after: Vec<_> = places.iter().map(|(_, after)| *after).collect();
    let from: Vec<_> = run_ids.iter().map(|id| smallest_id_about(*id)).collect();
    let reading = sqlx::query_file!(
        "queries/feed/of_runs.sql",
        &run_ids,
        &after,
        &from,
        i64::try_from(BUFFER).unwrap_or(i64::MAX),
    )
    .fetch_all(link.get().await?);
    let rows = tokio::time::timeout(READ_TIMEOUT, reading)
        .await
        .map_err(|_| timed_out("reading what happened to watched runs"))??;
    rows.into_iter()
        .map(|row| {
            let record = FeedRecord {
                id: row.id,
                at: row.at,
                entity_type: row.entity_type,
                entity_id: row.run_id,
                sequence: row.sequence,
                step: row.step,
                action: row.action,
                before: json(row.before)?,
                after: json(row.after_value)?,
                detail: json(row.detail)?,
                actor: row.actor,
                request_id: row.request_id,
                workflow_id: row.workflow_id,
                workflow_name: row.workflow_name,
            };
            Ok(Read {
                run_id: row.run_id,
                after: row.after,
                watched: Watched {
                    record: Arc::new(record),
                    last: row.last,
                },
            })
        })
        .collect()
}
