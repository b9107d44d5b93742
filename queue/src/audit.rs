//! The audit log of what the catalogue holds: written in the transaction of the change, read by
//! entity. The records of runs are written by the group commit and read here.

mod columns;
mod list;

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

pub(crate) use columns::{AuditColumns, AuditRow};
pub use list::{AuditFilter, AuditPage};

use crate::{Actor, Error, Store};

/// A record of the audit log.
#[derive(Clone, Debug, Serialize)]
pub struct AuditRecord {
    pub id: Uuid,
    pub at: Time,
    /// `run`, `step`, `agent`, `workflow`, …
    pub entity_type: String,
    /// Of a step: its run's.
    pub entity_id: Uuid,
    /// 1, 2, 3 … within the entity, without gaps.
    pub sequence: i64,
    /// The step's name, where it is about one.
    pub step: Option<String>,
    /// `agent.created`, `run.started`, …
    pub action: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub detail: Option<Value>,
    pub actor: String,
    pub request_id: Option<String>,
}

/// A record about to be written.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub entity_type: &'a str,
    pub entity_id: Uuid,
    /// The revision that the change makes: it counts 1, 2, 3 … under the row's lock.
    pub sequence: i64,
    pub action: &'a str,
    pub before: Option<Value>,
    pub after: Option<Value>,
    pub actor: &'a Actor,
}

/// Writes a record in the transaction of the change that it tells of.
pub(crate) async fn write(connection: &mut PgConnection, entry: Entry<'_>) -> Result<(), Error> {
    sqlx::query!(
        "insert into stepwell.audit
             (id, entity_type, entity_id, sequence, action, before, after, actor, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        crate::clock::id(),
        entry.entity_type,
        entry.entity_id,
        entry.sequence,
        entry.action,
        entry.before,
        entry.after,
        entry.actor.name,
        entry.actor.request_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Returns the records of an entity after `sequence`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn audit_of(
        &self,
        entity_id: Uuid,
        after: i64,
        limit: i64,
    ) -> Result<Vec<AuditRecord>, Error> {
        let records = sqlx::query_as!(
            AuditRecord,
            r#"select id, at, entity_type, entity_id, sequence, step, action,
                      before as "before: Value", after as "after: Value", detail as "detail: Value",
                      actor, request_id
               from stepwell.audit
               where entity_id = $1 and sequence > $2
               order by sequence
               limit $3"#,
            entity_id,
            after,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(records)
    }
}
