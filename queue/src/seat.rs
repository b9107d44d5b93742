//! Calls of an agent with `max_concurrency`: so many seats, and a call needs one.
//!
//! A seat is a row, taken by a worker and not by a call: `SKIP LOCKED` gives each worker another one,
//! so there is no row that everybody writes. What a dead worker had is free as soon as it is marked
//! dead; nothing has to be swept. Agents without a limit have no rows.

use uuid::Uuid;

use crate::{Error, Store};

impl Store {
    /// Takes up to `wanted` of an agent's `most` seats for a worker; returns their numbers. A worker
    /// that is not alive gets none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn take_seats(
        &self,
        agent_id: Uuid,
        worker_id: Uuid,
        most: u32,
        wanted: usize,
    ) -> Result<Vec<i32>, Error> {
        let numbers = sqlx::query_file_scalar!(
            "queries/seat/take.sql",
            agent_id,
            worker_id,
            i32::try_from(most).unwrap_or(i32::MAX),
            i64::try_from(wanted).unwrap_or(i64::MAX),
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(numbers)
    }

    /// Makes the seats of an agent that are missing. Those beyond `most` stay, and nobody takes them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn make_seats(&self, agent_id: Uuid, most: u32) -> Result<(), Error> {
        sqlx::query!(
            "insert into stepwell.seat (agent_id, number)
             select $1, n from generate_series(1, $2) as n
             on conflict do nothing",
            agent_id,
            i32::try_from(most).unwrap_or(i32::MAX),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Gives seats back that a worker took.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn leave_seats(
        &self,
        agent_id: Uuid,
        worker_id: Uuid,
        numbers: &[i32],
    ) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.seat set worker_id = null
             where agent_id = $1 and worker_id = $2 and number = any($3)",
            agent_id,
            worker_id,
            numbers,
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
