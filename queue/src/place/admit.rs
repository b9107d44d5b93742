//! A place became free: whoever is next is let in, and told.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Key, lock_shortly};
use crate::listen::Hint;
use crate::{Error, Store, transaction};

impl Store {
    /// Lets in who waits for these keys. What goes wrong here the sweep does later.
    pub(crate) async fn admit(&self, keys: Vec<Key>) {
        for (workflow_id, key) in keys {
            if let Err(error) = self.admit_one(workflow_id, &key).await {
                tracing::debug!(%error, "the next run of a concurrency key is let in later");
            }
        }
    }

    async fn admit_one(&self, workflow_id: Uuid, key: &str) -> Result<(), Error> {
        let _turn = self.desk.asking.acquire().await;
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        lock_shortly(&mut transaction, workflow_id, key).await?;
        let admitted = next(&mut transaction, workflow_id, key).await?;
        transaction.commit().await?;
        for run_id in admitted {
            self.wake(&mut connection, run_id).await?;
        }
        Ok(())
    }

    /// Tells a run that it has a place.
    pub(super) async fn wake(
        &self,
        connection: &mut PgConnection,
        run_id: Uuid,
    ) -> Result<(), Error> {
        let row = sqlx::query_file!("queries/place/wake.sql", run_id)
            .fetch_optional(connection)
            .await?;
        if let Some(row) = row {
            self.announce(if row.leased {
                Hint::Inbox {
                    run_ids: vec![run_id],
                }
            } else {
                Hint::Work { queue: row.queue }
            });
        }
        Ok(())
    }
}

/// Gives the free places of a key away, under its lock.
pub(super) async fn next(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<Vec<Uuid>, Error> {
    let admitted = sqlx::query_file_scalar!("queries/place/admit.sql", workflow_id, key)
        .fetch_all(connection)
        .await?;
    Ok(admitted)
}
