//! Frees the jobs of dead workers. Any worker does it, apart from its heartbeat.
//!
//! First what the silent one's process still has locked is let go of, by ending its sessions that are in the
//! middle of something. Then its row is marked dead, in a statement of its own: that waits for its commits in
//! flight, and from then on none of its statements finds an owner (D4). Then its jobs are freed in bounded
//! batches. Whoever dies in between leaves a row that is dead and not freed, and the next rescuer goes on
//! with it. Each worker is seen to by itself and each statement has its time: what cannot be done for one of
//! them keeps nobody from the others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use uuid::Uuid;

use super::Life;
use crate::Error;
use crate::link::{Link, timed_out};
use crate::listen::Hint;

/// Workers marked dead at a time.
const DEAD_PER_ROUND: i64 = 10;
/// Jobs freed in one statement: its row locks are held for some milliseconds.
const FREED_PER_STATEMENT: usize = 500;
/// A worker that leaves frees its jobs itself, within this many seconds.
const LEAVING_SECS: f64 = 10.0;
/// How long the mark waits for commits of the worker that seems dead; the next round tries again.
const MARK_LOCK_TIMEOUT: &str = "2s";
/// The age in seconds from which a transaction of a silent worker is held for stuck.
const STUCK_SECS: f64 = 2.0;
/// Milliseconds that the end of such a session is waited for.
const SESSION_END_MS: i64 = 500;
/// How long each part of a round may take.
const PART_TIMEOUT: Duration = Duration::from_secs(10);

/// A worker whose jobs are to be freed.
struct Dead {
    id: Uuid,
    name: String,
    /// Rather than left.
    died: bool,
}

/// What was freed of what one worker had.
#[derive(Debug, Default)]
pub(super) struct Freed {
    pub(super) queues: BTreeSet<String>,
    pub(super) jobs: usize,
    /// Jobs that somebody has locked: they are still the worker's.
    pub(super) left: usize,
}

/// Looks after the others until this worker retires or is fenced.
pub(super) async fn run(life: Arc<Life>) {
    let mut link = life.link();
    let mut round = life.rounds();
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            _ = round.tick() => {}
        }
        if life.silence_counts(Instant::now()) {
            once(&life, &mut link).await;
        }
    }
    link.close().await;
}

/// Marks who is silent, and frees the jobs of all that are dead.
async fn once(life: &Life, link: &mut Link) {
    let silent = tokio::time::timeout(PART_TIMEOUT, silent(life, link)).await;
    for worker_id in settled("looking for silent workers", link, silent).unwrap_or_default() {
        let ended = tokio::time::timeout(PART_TIMEOUT, end_sessions(link, worker_id)).await;
        if let Some(ended @ 1..) = settled("ending a silent worker's sessions", link, ended) {
            tracing::warn!(worker = %worker_id, ended, "ended what a silent worker was in the middle of");
        }
        let marked = tokio::time::timeout(PART_TIMEOUT, mark(life, link, worker_id)).await;
        if settled("marking a silent worker", link, marked) == Some(true) {
            life.store.desk.counters.workers_marked_dead.add(1);
        }
    }
    let dead = tokio::time::timeout(PART_TIMEOUT, dead(link)).await;
    for worker in settled("looking for dead workers", link, dead).unwrap_or_default() {
        let freed = tokio::time::timeout(PART_TIMEOUT, free(life, link, &worker)).await;
        settled("freeing a dead worker's jobs", link, freed);
    }
    let lost = async { crate::external::lose_overdue(link.get().await?, &life.store).await };
    let lost = tokio::time::timeout(PART_TIMEOUT, lost).await;
    settled("failing overdue work", link, lost);
}

/// Returns what a part of the round came to; what went wrong is told, and the next round tries again.
fn settled<T>(
    part: &'static str,
    link: &mut Link,
    outcome: Result<Result<T, Error>, tokio::time::error::Elapsed>,
) -> Option<T> {
    let outcome = outcome.unwrap_or_else(|_| Err(Error::Unavailable(timed_out(part))));
    outcome
        .inspect_err(|error| {
            let cause = std::error::Error::source(error).map(ToString::to_string);
            tracing::warn!(%error, cause, part, "a part of the rescue failed; the next round goes on with it");
            link.forget();
        })
        .ok()
}

async fn silent(life: &Life, link: &mut Link) -> Result<Vec<Uuid>, Error> {
    let silent = sqlx::query_file_scalar!("queries/silent_workers.sql", life.id, DEAD_PER_ROUND)
        .fetch_all(link.get().await?)
        .await?;
    Ok(silent)
}

/// Returns how many were ended.
async fn end_sessions(link: &mut Link, worker_id: Uuid) -> Result<i64, Error> {
    let ended = sqlx::query_file_scalar!(
        "queries/end_sessions.sql",
        worker_id,
        STUCK_SECS,
        SESSION_END_MS
    )
    .fetch_one(link.get().await?)
    .await?;
    Ok(ended)
}

/// Marks one worker dead; `false`: it was heard, or marked, by now.
async fn mark(life: &Life, link: &mut Link, worker_id: Uuid) -> Result<bool, Error> {
    let marked = sqlx::query_file!(
        "queries/mark_dead.sql",
        worker_id,
        MARK_LOCK_TIMEOUT,
        format!("worker:{}", life.id),
    )
    .execute(link.get().await?)
    .await?;
    Ok(marked.rows_affected() > 0)
}

async fn dead(link: &mut Link) -> Result<Vec<Dead>, Error> {
    let dead = sqlx::query_as!(
        Dead,
        r#"select id, name, status = 'dead' as "died!" from stepwell.worker
           where freed_at is null
             and (status = 'dead' or status = 'gone' and ended_at < now() - make_interval(secs => $2))
           order by seen_at limit $1"#,
        DEAD_PER_ROUND,
        LEAVING_SECS,
    )
    .fetch_all(link.get().await?)
    .await?;
    Ok(dead)
}

/// Frees what a dead worker had; what somebody has locked is left to the next round.
async fn free(life: &Life, link: &mut Link, worker: &Dead) -> Result<(), Error> {
    let connection = link.get().await?;
    let deaths = i16::from(worker.died);
    let freed = free_all(connection, worker.id, &[], deaths).await?;
    let put_up = crate::detached::free(connection, &life.store, worker.id, &[], deaths).await?;
    if freed.left == 0 {
        sqlx::query!(
            "update stepwell.worker set freed_at = now() where id = $1 and freed_at is null",
            worker.id
        )
        .execute(&mut *connection)
        .await?;
    }
    let jobs = freed.jobs + put_up;
    tracing::warn!(worker = %worker.id, name = worker.name, freed = jobs, left = freed.left, "freed the jobs of a dead worker");
    life.store.desk.counters.rescued_jobs.add(jobs);
    for queue in freed.queues {
        life.store.announce(Hint::Work { queue });
    }
    Ok(())
}

/// Frees the jobs leased to a worker, except those in `keep`. There is no index on the holder, which
/// every claim would have to write: one scan finds the jobs, and only here.
pub(super) async fn free_all(
    connection: &mut PgConnection,
    worker_id: Uuid,
    keep: &[Uuid],
    deaths: i16,
) -> Result<Freed, Error> {
    let leased = sqlx::query_scalar!(
        "select run_id from stepwell.job
         where state = 'leased' and worker_id = $1 and run_id <> all ($2)
         order by run_id",
        worker_id,
        keep
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut freed = Freed::default();
    for run_ids in leased.chunks(FREED_PER_STATEMENT) {
        let rows = sqlx::query_file_scalar!("queries/free.sql", run_ids, worker_id, deaths)
            .fetch_all(&mut *connection)
            .await?;
        freed.jobs += rows.len();
        freed.left += run_ids.len() - rows.len();
        freed.queues.extend(rows);
    }
    Ok(freed)
}
