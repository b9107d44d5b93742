//! An operator lets a worker finish: it claims nothing more, ends what it has and leaves. It hears so
//! by a hint, and at the latest with its next heartbeat.

use serde_json::json;
use uuid::Uuid;

use super::ENTITY;
use crate::audit::{self, Entry};
use crate::listen::Hint;
use crate::{Actor, Error, Store};

/// What came of asking a worker to drain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drained {
    /// It drains, or did so before.
    Accepted,
    NotFound,
    /// It is `dead` or `gone`.
    Over(String),
}

impl Store {
    /// Asks a worker to drain.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn drain_worker(&self, id: Uuid, actor: &Actor) -> Result<Drained, Error> {
        let mut transaction = self.pool.begin().await?;
        // Weaker than what marks it dead, and no match for the key share of its commits: neither
        // waits for long.
        let row = sqlx::query!(
            "select name, status from stepwell.worker where id = $1 for no key update",
            id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return Ok(Drained::NotFound);
        };
        match row.status.as_str() {
            "alive" => {}
            "draining" => return Ok(Drained::Accepted),
            _ => return Ok(Drained::Over(row.status)),
        }
        sqlx::query!(
            "update stepwell.worker set status = 'draining' where id = $1",
            id
        )
        .execute(&mut *transaction)
        .await?;
        let told = sqlx::query_scalar!(
            r#"select count(*) as "count!" from stepwell.audit where entity_id = $1"#,
            id
        )
        .fetch_one(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: id,
            sequence: told + 1,
            action: "worker.drain_requested",
            before: Some(json!({"name": row.name, "status": "alive"})),
            after: Some(json!({"name": row.name, "status": "draining"})),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.announce(Hint::Changed {
            entity: ENTITY.to_owned(),
            id,
        });
        Ok(Drained::Accepted)
    }
}
