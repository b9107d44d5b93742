//! Calls of an agent with `max_concurrency`: so many seats, and a call needs one.
//!
//! A seat is a row, taken by a worker and not by a call: `SKIP LOCKED` gives each worker another one,
//! so there is no row that everybody writes. What a dead worker had is free as soon as it is marked
//! dead. A seat that a live worker has in the database and not in its memory, as when the answer to its
//! taking was lost, would be nobody's for as long as that worker lives: so the worker notes what it has,
//! and its reconciliation gives back the rest. Agents without a limit have no rows.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Error;
use crate::worker::Life;

/// A worker's hand on the seats at agents. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Seating {
    life: Arc<Life>,
}

/// The seats that a worker has, by agent and number.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    taken: Mutex<HashSet<(Uuid, i32)>>,
    /// Held by whoever takes some, against a reconciliation that would give back what is not noted yet.
    taking: tokio::sync::RwLock<()>,
}

impl Seating {
    pub(crate) const fn new(life: Arc<Life>) -> Self {
        Self { life }
    }

    /// The worker that takes them.
    #[must_use]
    pub fn worker_id(&self) -> Uuid {
        self.life.id
    }

    /// Takes up to `wanted` of an agent's `most` seats; returns their numbers. A worker that is not
    /// alive gets none, nor does one that must find out first what it has.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: some may be this worker's without its knowing; they are given back as soon
    /// as the database answers.
    pub async fn take(&self, agent_id: Uuid, most: u32, wanted: usize) -> Result<Vec<i32>, Error> {
        let life = &self.life;
        let _taking = life.seats.taking.read().await;
        if life.in_doubt() {
            return Ok(Vec::new());
        }
        let numbers = sqlx::query_file_scalar!(
            "queries/seat/take.sql",
            agent_id,
            life.id,
            i32::try_from(most).unwrap_or(i32::MAX),
            i64::try_from(wanted).unwrap_or(i64::MAX),
            life.epoch.load(Ordering::Acquire),
        )
        .fetch_all(&life.store.pool)
        .await
        .inspect_err(|_| life.doubt())?;
        let taken = numbers.iter().map(|&number| (agent_id, number));
        life.seats.lock().extend(taken);
        Ok(numbers)
    }

    /// Makes the seats of an agent that are missing. Those beyond `most` stay, and nobody takes them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn make(&self, agent_id: Uuid, most: u32) -> Result<(), Error> {
        sqlx::query!(
            "insert into stepwell.seat (agent_id, number)
             select $1, n from generate_series(1, $2) as n
             on conflict do nothing",
            agent_id,
            i32::try_from(most).unwrap_or(i32::MAX),
        )
        .execute(&self.life.store.pool)
        .await?;
        Ok(())
    }

    /// Gives seats back. What goes wrong here the reconciliation does as soon as the database answers.
    pub async fn leave(&self, agent_id: Uuid, numbers: &[i32]) {
        let life = &self.life;
        {
            let mut taken = life.seats.lock();
            for &number in numbers {
                taken.remove(&(agent_id, number));
            }
        }
        // Only in the epoch in which they were taken: a statement that arrives late must not give back what
        // was taken again since.
        let left = sqlx::query!(
            "update stepwell.seat s set worker_id = null
             from stepwell.worker w
             where s.agent_id = $1 and s.worker_id = $2 and s.number = any($3) and w.id = $2 and w.epoch = $4",
            agent_id,
            life.id,
            numbers,
            life.epoch.load(Ordering::Acquire),
        )
        .execute(&life.store.pool)
        .await;
        let wanted = u64::try_from(numbers.len()).unwrap_or(u64::MAX);
        match left {
            Ok(left) if left.rows_affected() >= wanted => {}
            // In another epoch by now, or dead.
            Ok(_) => life.doubt(),
            Err(error) => {
                tracing::debug!(%error, "seats at an agent are given back later");
                life.doubt();
            }
        }
    }
}

impl Seats {
    fn lock(&self) -> MutexGuard<'_, HashSet<(Uuid, i32)>> {
        // A set is whole between any two calls.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives back what the database has for this worker's and the worker does not. Its epoch must have been
/// raised, so that nothing that it sent before can still take or leave one.
pub(crate) async fn give_back(connection: &mut PgConnection, life: &Life) -> Result<(), Error> {
    let _nobody_takes = life.seats.taking.write().await;
    let (agents, numbers): (Vec<Uuid>, Vec<i32>) = life.seats.lock().iter().copied().unzip();
    let given = sqlx::query!(
        "update stepwell.seat s set worker_id = null
         where s.worker_id = $1
           and not exists (
               select from (select unnest($2::uuid[]) as agent_id, unnest($3::int[]) as number) as taken
               where taken.agent_id = s.agent_id and taken.number = s.number)",
        life.id,
        &agents,
        &numbers,
    )
    .execute(connection)
    .await?;
    if given.rows_affected() > 0 {
        tracing::info!(seats = given.rows_affected(), "gave seats in doubt back");
    }
    Ok(())
}
