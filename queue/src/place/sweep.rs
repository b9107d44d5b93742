//! Heals what a process left behind that died between the end of a run and the start of the next.

use sqlx::PgConnection;

use crate::{Error, Store};

/// Keys or runs seen to in one sweep; the next one goes on.
const SWEPT_MAX: i64 = 500;

/// Takes places back of which the runs are over, lets in who is next, and tells those again who were
/// let in and do not know it.
pub(crate) async fn sweep(store: &Store, connection: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!(
        "delete from stepwell.place p
         where not exists (select from stepwell.job j where j.run_id = p.run_id)"
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
    if !free.is_empty() {
        let keys = free.into_iter().map(|row| (row.workflow_id, row.key));
        store.admit(keys.collect()).await;
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
