//! The audit trail of a run, by its own numbers.

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::bounds::smallest_id_about;
use crate::page::{self, length};
use crate::{Error, Store};

/// One record.
#[derive(Clone, Debug)]
pub struct TrailRecord {
    /// 1, 2, 3 … within the run, without gaps.
    pub sequence: i64,
    pub at: Time,
    /// `run` or `step`.
    pub entity_type: String,
    pub step: Option<String>,
    pub action: String,
    pub before: Option<Box<RawValue>>,
    pub after: Option<Box<RawValue>>,
    pub detail: Option<Box<RawValue>>,
    pub actor: String,
    pub request_id: Option<String>,
}

/// One page.
#[derive(Debug)]
pub struct TrailPage {
    pub records: Vec<TrailRecord>,
    /// Whether there are more after it.
    pub more: bool,
}

/// Whether more records of a run are to be expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailEnd {
    /// The run is not over.
    Open,
    /// The run ended with the record of this number. A retry would add more.
    Closed(i64),
}

impl Store {
    /// Says whether the trail of a run has ended. `None`: there is no such run.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn trail_end(&self, run_id: Uuid) -> Result<Option<TrailEnd>, Error> {
        let row = sqlx::query!(
            r#"select status = 'pending' as "open!", sequence from stepwell.run where id = $1"#,
            run_id
        )
        .fetch_optional(&self.lookups)
        .await?;
        Ok(row.map(|row| {
            if row.open {
                TrailEnd::Open
            } else {
                TrailEnd::Closed(row.sequence)
            }
        }))
    }

    /// Lists the records of a run after number `after` (0: from the first). `None`: there is no
    /// such run. A run whose row retention has dropped still has its trail.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn trail(
        &self,
        run_id: Uuid,
        after: i64,
        limit: i64,
    ) -> Result<Option<TrailPage>, Error> {
        let rows = sqlx::query!(
            r#"select sequence, at, entity_type, step, action,
                      before as "before: Json<Box<RawValue>>", after as "after: Json<Box<RawValue>>",
                      detail as "detail: Json<Box<RawValue>>", actor, request_id
               from stepwell.audit
               where entity_id = $1 and sequence > $2 and id >= $3
                 and entity_type in ('run', 'step')
               order by sequence limit $4"#,
            run_id,
            after,
            smallest_id_about(run_id),
            limit + 1,
        )
        .fetch(&self.pool);
        let (rows, more) = page::take(rows, limit, |row| {
            length(row.before.as_ref()) + length(row.after.as_ref()) + length(row.detail.as_ref())
        })
        .await?;
        // Every run has its first record from the transaction that made it.
        if rows.is_empty() && (after == 0 || !self.run_exists(run_id).await?) {
            return Ok(None);
        }
        let records = rows
            .into_iter()
            .map(|row| TrailRecord {
                sequence: row.sequence,
                at: row.at,
                entity_type: row.entity_type,
                step: row.step,
                action: row.action,
                before: row.before.map(|json| json.0),
                after: row.after.map(|json| json.0),
                detail: row.detail.map(|json| json.0),
                actor: row.actor,
                request_id: row.request_id,
            })
            .collect();
        Ok(Some(TrailPage { records, more }))
    }

    pub(crate) async fn run_exists(&self, run_id: Uuid) -> Result<bool, Error> {
        Ok(sqlx::query_scalar!(
            r#"select exists (select from stepwell.run where id = $1) as "exists!""#,
            run_id
        )
        .fetch_one(&self.pool)
        .await?)
    }
}
