//! Frees the jobs of dead workers. Any worker does it, at each of its heartbeats.
//!
//! First the row is marked dead, in a transaction of its own: that waits for the dead one's commits
//! in flight, and from then on none of its statements finds an owner (D4). Then its jobs are freed in
//! bounded batches. Whoever dies in between leaves a row that is dead and not freed, and the next
//! rescuer goes on with it.

use std::collections::BTreeSet;

use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use super::Life;
use crate::Error;
use crate::link::Link;
use crate::listen::Hint;

/// Workers marked dead at a time.
const DEAD_PER_BEAT: i64 = 10;
/// Jobs freed in one statement: its row locks are held for some milliseconds.
const FREED_PER_STATEMENT: usize = 500;
/// A worker that leaves frees its jobs itself, within this many seconds.
const LEAVING_SECS: f64 = 10.0;
/// How long the mark waits for commits of the worker that seems dead; the next beat tries again.
const MARK_LOCK_TIMEOUT: &str = "2s";

/// Marks who is silent, and frees the jobs of all that are dead.
pub(super) async fn once(life: &Life, link: &mut Link) -> Result<(), Error> {
    let connection = link.get().await?;
    let silent = mark_dead(connection, life.id).await?;
    life.store.desk.counters.workers_marked_dead.add(silent);
    let dead = sqlx::query!(
        r#"select id, name, status = 'dead' as "died!" from stepwell.worker
           where freed_at is null
             and (status = 'dead' or status = 'gone' and ended_at < now() - make_interval(secs => $2))
           order by seen_at limit $1"#,
        DEAD_PER_BEAT,
        LEAVING_SECS,
    )
    .fetch_all(&mut *connection)
    .await?;
    crate::external::lose_overdue(connection, &life.store).await?;
    for worker in dead {
        let (queues, freed) = free_all(connection, worker.id, &[], i16::from(worker.died)).await?;
        let deaths = i16::from(worker.died);
        let put_up = crate::detached::free(connection, &life.store, worker.id, &[], deaths).await?;
        let freed = freed + put_up;
        sqlx::query!(
            "update stepwell.worker set freed_at = now() where id = $1 and freed_at is null",
            worker.id
        )
        .execute(&mut *connection)
        .await?;
        tracing::warn!(worker = %worker.id, name = worker.name, freed, "freed the jobs of a dead worker");
        life.store.desk.counters.rescued_jobs.add(freed);
        for queue in queues {
            life.store.announce(Hint::Work { queue });
        }
    }
    Ok(())
}

/// Marks silent workers dead; returns how many. A server that was restarted has heard nobody for a
/// while, so its own age counts too.
async fn mark_dead(connection: &mut PgConnection, rescuer: Uuid) -> Result<usize, Error> {
    let mut transaction = connection.begin().await?;
    sqlx::query!(
        "select set_config('lock_timeout', $1, true)",
        MARK_LOCK_TIMEOUT
    )
    .fetch_one(&mut *transaction)
    .await?;
    let marked = sqlx::query_file!(
        "queries/mark_dead.sql",
        rescuer,
        DEAD_PER_BEAT,
        format!("worker:{rescuer}"),
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(usize::try_from(marked.rows_affected()).unwrap_or(0))
}

/// Frees the jobs leased to a worker, except those in `keep`; returns their queues and number. There
/// is no index on the holder, which every claim would have to write: one scan finds the jobs, and
/// only here.
pub(super) async fn free_all(
    connection: &mut PgConnection,
    worker_id: Uuid,
    keep: &[Uuid],
    deaths: i16,
) -> Result<(BTreeSet<String>, usize), Error> {
    let leased = sqlx::query_scalar!(
        "select run_id from stepwell.job
         where state = 'leased' and worker_id = $1 and run_id <> all ($2)
         order by run_id",
        worker_id,
        keep
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut queues = BTreeSet::new();
    let mut freed = 0;
    for run_ids in leased.chunks(FREED_PER_STATEMENT) {
        let rows = sqlx::query_file_scalar!("queries/free.sql", run_ids, worker_id, deaths)
            .fetch_all(&mut *connection)
            .await?;
        freed += rows.len();
        queues.extend(rows);
    }
    Ok((queues, freed))
}
