//! Heals what a process left behind that died between the end of a run and the start of the next.
//!
//! Every worker does it now and then, in a task and on a connection of its own, and waits for nobody: a key
//! whose lock somebody has is seen to at that moment, or by the next sweep.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use super::{admit, try_lock};
use crate::link::timed_out;
use crate::worker::Life;
use crate::{Error, Store, transaction};

/// Keys or runs seen to in one sweep; the next one goes on.
const SWEPT_MAX: i64 = 500;
/// How long one sweep may take: far more than all of its keys need.
const SWEEP_TIMEOUT: Duration = Duration::from_secs(10);

/// Sweeps until the worker retires or is fenced.
pub(crate) async fn sweep(life: Arc<Life>) {
    let mut link = life.link();
    let mut round = life.rounds();
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            _ = round.tick() => {}
        }
        let swept = async { once(&life.store, link.get().await?).await };
        let swept = tokio::time::timeout(SWEEP_TIMEOUT, swept)
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(timed_out("a sweep of places"))));
        if let Err(error) = swept {
            tracing::warn!(%error, "places could not be looked after; the next sweep does");
            link.forget();
        }
    }
    link.close().await;
}

/// Takes places back of which the runs are over, lets in who is next, and tells those again who were
/// let in and do not know it.
async fn once(store: &Store, connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        "delete from stepwell.place where run_id = any (array(
             select p.run_id from stepwell.place p
             where not exists (select from stepwell.job j where j.run_id = p.run_id)
             for update of p skip locked))"
    )
    .execute(&mut *connection)
    .await?;
    let free = sqlx::query!(
        "select workflow_id, key from stepwell.place
         group by workflow_id, key
         having bool_or(not held) and count(*) filter (where held) < max(most)
         limit $1",
        SWEPT_MAX,
    )
    .fetch_all(&mut *connection)
    .await?;
    for row in free {
        for run_id in admit_unless_busy(connection, row.workflow_id, &row.key).await? {
            store.wake(connection, run_id).await?;
        }
    }
    let unaware = sqlx::query_scalar!(
        "select p.run_id from stepwell.place p
         join stepwell.job j on j.run_id = p.run_id
         where p.held and j.state = 'parked' and j.blocked_on ->> 'kind' = 'concurrency'
         limit $1",
        SWEPT_MAX,
    )
    .fetch_all(&mut *connection)
    .await?;
    for run_id in unaware {
        store.wake(connection, run_id).await?;
    }
    Ok(())
}

/// Lets in who is next under a key, unless somebody is at it.
async fn admit_unless_busy(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<Vec<Uuid>, Error> {
    let mut transaction = transaction::begin(connection).await?;
    if !try_lock(&mut transaction, workflow_id, key).await? {
        transaction.rollback().await?;
        return Ok(Vec::new());
    }
    let admitted = admit::next(&mut transaction, workflow_id, key).await?;
    transaction.commit().await?;
    Ok(admitted)
}
