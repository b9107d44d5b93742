//! A claim from a queue whose runs are limited: the workers take turns at it, so that all of them
//! together never lease more than is allowed. Only such a queue pays for the two statements more.

use std::time::Duration;

use sqlx::PgConnection;

use super::floor::Scanned;
use super::take::{Ask, Taken, take};
use crate::queues::rules;
use crate::{Error, transaction};

/// Takes up to `wanted` due jobs, and no more than the queue has room for. The second value: it has
/// not room for all that was wanted.
pub(super) async fn take_within(
    connection: &mut PgConnection,
    ask: Ask<'_>,
) -> Result<(Taken, bool), Error> {
    let mut transaction = transaction::begin(connection).await?;
    let room = rules::room(&mut transaction, ask.queue).await?;
    let wanted = room.map_or(ask.wanted, |room| room.min(ask.wanted));
    let held_back = wanted < ask.wanted;
    let taken = if wanted == 0 {
        nothing(&mut transaction).await?
    } else {
        take(&mut transaction, Ask { wanted, ..ask }).await?
    };
    transaction.commit().await?;
    Ok((taken, held_back))
}

/// A claim that was not made, for want of room.
async fn nothing(connection: &mut PgConnection) -> Result<Taken, Error> {
    let now = sqlx::query_scalar!(r#"select now() as "now!""#)
        .fetch_one(connection)
        .await?;
    Ok(Taken {
        claimed: Vec::new(),
        unreadable: Vec::new(),
        orphans: Vec::new(),
        owned: true,
        next_due: None,
        scanned: Scanned {
            took: Duration::ZERO,
            found: 0,
            wanted: 0,
            ready: None,
            timed: None,
            at: now,
        },
    })
}
