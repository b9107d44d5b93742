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

/// Takes the lock of a key until the transaction ends.
async fn lock(
    connection: &mut PgConnection,
    workflow_id: Uuid,
    key: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1::text, 0))",
        format!("{workflow_id}/{}", clean(key)),
    )
    .fetch_one(connection)
    .await?;
    Ok(())
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
