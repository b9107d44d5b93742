//! How many workers there are, by the database's clock.

use crate::{Error, Store};

/// Workers that have shown a sign of life in time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    pub alive: u64,
    /// Alive, and claiming nothing any more.
    pub draining: u64,
}

impl Store {
    /// Counts the workers. One that is silent for too long is not counted, also before somebody
    /// marks it dead.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn census(&self) -> Result<Census, Error> {
        let row = sqlx::query!(
            r#"select count(*) filter (where status = 'alive') as "alive!",
                      count(*) filter (where status = 'draining') as "draining!"
               from stepwell.v_workers
               where id in (select id from stepwell.worker where freed_at is null)"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Census {
            alive: u64::try_from(row.alive).unwrap_or(0),
            draining: u64::try_from(row.draining).unwrap_or(0),
        })
    }
}
