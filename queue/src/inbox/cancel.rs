//! A run that no driver has had is cancelled on the spot: no worker need be up for that.

use sqlx::PgConnection;
use uuid::Uuid;

use super::{Word, word};
use crate::listen::Hint;
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

impl Cancelled {
    /// Returns what to say after the commit.
    pub(super) fn hints(self, run_id: Uuid) -> impl Iterator<Item = Hint> {
        let ended = self.awaited.then(|| Hint::Ended {
            run_ids: vec![run_id],
        });
        let due = self.parent_queue.map(|queue| Hint::Work { queue });
        let told = self.parent_leased.map(|parent| Hint::Inbox {
            run_ids: vec![parent],
        });
        ended.into_iter().chain(due).chain(told)
    }
}

/// Asks a run to cancel, in the transaction of the caller, and does it where no driver has had it.
/// Returns what to say after the commit; nothing when the run is over.
pub(crate) async fn cancel_within(
    connection: &mut PgConnection,
    run_id: Uuid,
    reason: &str,
    actor: &Actor,
) -> Result<Vec<Hint>, Error> {
    if let Some(cancelled) = unbegun(connection, run_id, Some(reason), actor).await? {
        return Ok(cancelled.hints(run_id).collect());
    }
    let (kind, payload) = word::encode(Word::Cancel {
        reason: Some(reason.to_owned()),
    });
    let row = sqlx::query_file!(
        "queries/send.sql",
        run_id,
        kind,
        payload,
        clean(&actor.name) as _,
        actor.request_id.as_deref().map(clean) as _,
    )
    .fetch_optional(connection)
    .await?;
    let hint = row.map(|row| match row.leased {
        true => Hint::Inbox {
            run_ids: vec![run_id],
        },
        false => Hint::Work { queue: row.queue },
    });
    Ok(hint.into_iter().collect())
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
