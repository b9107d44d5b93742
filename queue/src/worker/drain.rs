//! An operator lets a worker finish: it claims nothing more, ends what it has and leaves. It hears so
//! by a hint, and at the latest with its next heartbeat.

use uuid::Uuid;

use super::ENTITY;
use crate::listen::Hint;
use crate::text::clean;
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
        let row = sqlx::query_file!(
            "queries/drain.sql",
            id,
            crate::clock::id(),
            clean(&actor.name) as _,
            actor.request_id.as_deref().map(clean) as _,
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else {
            return Ok(Drained::NotFound);
        };
        match row.before.as_str() {
            "alive" | "draining" => {}
            _ => return Ok(Drained::Over(row.before)),
        }
        if row.drained {
            self.announce(Hint::Changed {
                entity: ENTITY.to_owned(),
                id,
            });
        }
        Ok(Drained::Accepted)
    }
}
