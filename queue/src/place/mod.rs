//! How many runs with one concurrency key there are at once.
//!
//! Every run of a workflow with `concurrency` has a row, written in the transaction that enqueues
//! it; whoever enqueues by another door has it written by the driver. A driver that takes the run up
//! asks for the place first ([`take`]); without one it lets the run go again, parked. The place is
//! given back in the transaction that ends the run, and then, apart from it, whoever is next is let
//! in ([`admit`]): holding the key's lock together with the rows of a commit would be a deadlock
//! waiting to happen. If that never comes because the process died, the sweep does it.
//!
//! The lock of a key is an advisory one, held for the moment of counting. Workflows without
//! `concurrency` never come here.

mod admit;
mod reserve;
mod sweep;
mod take;

use sqlx::PgConnection;
use tokio::sync::Semaphore;
use uuid::Uuid;

pub(crate) use reserve::{insert, refused};
pub(crate) use sweep::sweep;
pub use take::Place;

use crate::text::clean;

/// What a run needs before it may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub key: String,
    /// Runs that may hold a place under this key.
    pub most: i32,
    /// Whether the run is refused where there is no place, instead of waiting.
    pub reject: bool,
}

/// A key of a workflow.
pub(crate) type Key = (Uuid, String);

/// How long who asks for a place, or gives one away, waits for the lock of its key before it lets go of its
/// connection: the lock is held for a moment, or by a process that is lost.
const KEY_PATIENCE: &str = "500ms";

/// Takes the lock of a key until the transaction ends. One that is not free within the transaction's
/// patience is [`Error::Unavailable`](crate::Error::Unavailable).
async fn lock(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
        lock_of(workflow_id, key),
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// The same with less patience, for those who can come again.
async fn lock_shortly(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "with patience as materialized (select set_config('lock_timeout', $2, true) as set)
         select pg_advisory_xact_lock(hashtextextended($1::text, 0)) from patience where set is not null",
        lock_of(workflow_id, key),
        KEY_PATIENCE,
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Takes the lock of a key if nobody has it.
async fn try_lock(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended($1::text, 0)) as "locked!""#,
        lock_of(workflow_id, key),
    )
    .fetch_one(connection)
    .await
}

fn lock_of(workflow_id: Uuid, key: &str) -> String {
    format!("{workflow_id}/{}", clean(key))
}

/// Lets no more callers ask for places at once than leave connections for everybody else: those who wait
/// for a key would otherwise take the whole pool.
pub(crate) fn turns(pool_max: u32) -> Semaphore {
    let half = usize::try_from(pool_max / 2).unwrap_or(usize::MAX);
    Semaphore::new(half.clamp(1, Semaphore::MAX_PERMITS))
}

/// Gives places back, in the transaction that ends their runs; returns their keys.
pub(crate) async fn leave(
    connection: &mut PgConnection,
    run_ids: &[Uuid],
) -> Result<Vec<Key>, sqlx::Error> {
    let rows = sqlx::query!(
        "delete from stepwell.place where run_id = any($1) returning workflow_id, key",
        run_ids,
    )
    .fetch_all(connection)
    .await?;
    let mut keys: Vec<Key> = rows
        .into_iter()
        .map(|row| (row.workflow_id, row.key))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
