//! A run that no driver has had is cancelled on the spot: no worker need be up for that.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::place;
use crate::text::clean;
use crate::{Actor, Error};

/// Whom to tell.
#[derive(Debug)]
pub(super) struct Cancelled {
    pub(super) awaited: bool,
    /// The queue of a parent that is due now.
    pub(super) parent_queue: Option<String>,
    /// A parent that a driver holds.
    pub(super) parent_leased: Option<Uuid>,
    /// The concurrency key under which a place became free.
    pub(super) left: Option<place::Key>,
}

/// Cancels the run; `None` when somebody had it, or it is over, or there is none.
pub(super) async fn unbegun(
    connection: &mut PgConnection,
    run_id: Uuid,
    reason: Option<&str>,
    actor: &Actor,
) -> Result<Option<Cancelled>, Error> {
    let row = sqlx::query_file!(
        "queries/cancel_unbegun.sql",
        run_id,
        reason.map(clean) as _,
        clean(&actor.name) as _,
        actor.request_id.as_deref().map(clean) as _,
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Cancelled {
        awaited: row.awaited,
        parent_queue: row.parent_queue,
        parent_leased: row.parent_leased,
        left: row.place_workflow.zip(row.place_key),
    }))
}
