//! Runs come in. Concurrent single enqueues share a transaction; a batch has its own.
//!
//! [`columns`] turns runs into arrays, [`write`] holds the statements, [`group`] gathers callers.

mod columns;
mod group;
pub(crate) mod write;

use std::collections::HashSet;

use uuid::Uuid;

pub(crate) use columns::RunColumns;
pub(crate) use group::Intake;
pub(crate) use write as keys;
pub(crate) use write::insert_runs;

use crate::listen::Hint;
use crate::new_run::{Answer, Idempotency};
use crate::{Error, NewRun, Store, place, transaction};

/// Runs in one batch: the transaction stays short, and its memory bounded.
pub const BATCH_RUNS_MAX: usize = 10_000;
/// Runs in one statement of a batch.
const CHUNK_RUNS: usize = 2_000;

/// What came of an enqueue.
#[derive(Clone, Debug)]
pub enum Enqueued {
    /// Committed.
    Created,
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    /// A live run of this workflow has the same dedupe key.
    Duplicate { run_id: Uuid },
    /// So many runs have the run's concurrency key already, and the workflow wants no more.
    Full { key: String, most: i32 },
}

impl Store {
    /// Writes run, job, audit and idempotency key; returns after the commit.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the run exists; the same idempotency key tells.
    pub async fn enqueue(&self, run: NewRun) -> Result<Enqueued, Error> {
        self.desk.intake.put(self, run).await
    }

    /// Writes all of them or none, in one transaction. The first conflict is the answer for all;
    /// the runs' own idempotency keys are not looked at. At most [`BATCH_RUNS_MAX`] runs.
    ///
    /// # Errors
    /// As [`Store::enqueue`].
    pub async fn enqueue_batch(
        &self,
        mut runs: Vec<NewRun>,
        idempotency: Option<Idempotency>,
    ) -> Result<Enqueued, Error> {
        if runs.len() > BATCH_RUNS_MAX {
            let limit = format!("a batch of {} runs; at most {BATCH_RUNS_MAX}", runs.len());
            return Err(Error::Refused(sqlx::Error::Protocol(limit)));
        }
        for run in &mut runs {
            run.idempotency = None;
        }
        if let Some(run_id) = repeated_key(&runs) {
            return Ok(Enqueued::Duplicate { run_id });
        }
        loop {
            if let Some(answer) = self.try_batch(&runs, idempotency.as_ref()).await? {
                return Ok(answer);
            }
        }
    }

    /// One transaction; `None` when somebody took a key at the same moment: look again.
    async fn try_batch(
        &self,
        runs: &[NewRun],
        idempotency: Option<&Idempotency>,
    ) -> Result<Option<Enqueued>, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        if let Some(idempotency) = idempotency
            && !write::take_key(&mut transaction, idempotency).await?
        {
            transaction.rollback().await?;
            return write::earlier_answer(&mut connection, idempotency).await;
        }
        let all: Vec<_> = runs.iter().filter(|run| run.place.is_some()).collect();
        let refused = place::refused(&mut transaction, &all).await?;
        if let Some(run) = all.iter().find(|run| refused.contains(&run.id)) {
            return Ok(Some(full(run)));
        }
        for chunk in runs.chunks(CHUNK_RUNS) {
            let keyed: Vec<_> = chunk.iter().filter(|r| r.dedupe_key.is_some()).collect();
            if !keyed.is_empty() {
                let Some(admitted) = write::reserve(&mut transaction, &keyed).await? else {
                    return Ok(None);
                };
                if let Some(refused) = keyed.iter().find(|run| !admitted.contains(&run.id)) {
                    transaction.rollback().await?;
                    return write::conflict(&mut connection, refused).await;
                }
            }
            let columns = RunColumns::of(chunk.iter());
            insert_runs(&mut transaction, columns).await?;
            place::insert(&mut transaction, chunk.iter()).await?;
            write::keep_callbacks(&mut transaction, chunk.iter()).await?;
        }
        transaction.commit().await?;
        self.desk.counters.enqueue_batches.add(1);
        self.desk.counters.enqueued_runs.add(runs.len());
        self.say_work(runs.iter());
        Ok(Some(Enqueued::Created))
    }

    /// Says once for each queue that it has work. Of a run for later, the claim learns when it is due.
    pub(crate) fn say_work<'a>(&self, runs: impl Iterator<Item = &'a NewRun> + Clone) {
        self.tell_watchers(runs.clone().map(|run| run.id));
        let queues: HashSet<_> = runs.map(|run| &run.queue).collect();
        for queue in queues {
            self.announce(Hint::Work {
                queue: queue.to_string(),
            });
        }
    }
}

/// Says that there is no place for a run.
fn full(run: &NewRun) -> Enqueued {
    let claim = run.place.as_ref();
    Enqueued::Full {
        key: claim.map(|claim| claim.key.clone()).unwrap_or_default(),
        most: claim.map_or(0, |claim| claim.most),
    }
}

/// Returns the run whose dedupe key occurs twice within one batch, if any: the first of the two.
fn repeated_key(runs: &[NewRun]) -> Option<Uuid> {
    let mut seen = std::collections::HashMap::new();
    runs.iter().find_map(|run| {
        let key = (run.workflow_id, run.dedupe_key.as_deref()?);
        seen.insert(key, run.id)
    })
}
