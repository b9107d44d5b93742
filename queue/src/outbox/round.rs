//! The loop that reads the trail for those who hear of it.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::leader::{LEASE, Standing};
use crate::backoff::{Backoff, jittered};
use crate::feed::Cursor;
use crate::listen::Hint;
use crate::{Error, Store, subscription};

/// Between two looks of the leader: so long an event waits at most.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Between two looks of those who do not lead, or while nobody hears of anything.
const REST: Duration = Duration::from_secs(2);
/// How often the cursor is put to the end of the trail while nobody hears of anything: so much is read
/// once somebody does.
const MOVE_EVERY: Duration = Duration::from_secs(60);
/// Records of one page, and so of one transaction.
const PAGE: usize = 500;

/// What the leader holds between two looks. The stored cursor follows now and then, so that reading
/// in vain writes next to nothing.
#[derive(Debug, Default)]
struct Reading {
    stored: Option<String>,
    cursor: Option<Cursor>,
}

/// The loop.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let me = crate::clock::id();
    let mut hints = store.hints();
    let mut backoff = Backoff::new();
    let mut reading = Reading::default();
    while !stop.is_cancelled() {
        let wait = match store.outbox_round(me, &mut reading).await {
            Ok(wait) => {
                backoff.reset();
                wait
            }
            Err(error) => {
                reading = Reading::default();
                tracing::warn!(%error, "events are looked for again");
                backoff.step()
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = store.desk.closing.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = changed(&mut hints) => {}
        }
    }
    if let Err(error) = store.leave_outbox(me).await {
        tracing::debug!(%error, "the others find out by themselves that nobody leads");
    }
}

impl Store {
    /// Does what there is to do; returns how long to wait.
    async fn outbox_round(&self, me: Uuid, reading: &mut Reading) -> Result<Duration, Error> {
        let standing = self.outbox_standing(me).await?;
        if standing.led {
            *reading = Reading::default();
            return Ok(jittered(REST));
        }
        if !standing.wanted {
            *reading = Reading::default();
            if standing.cursor.is_none() || standing.rested > MOVE_EVERY {
                let end = self.feed_now().await?;
                self.rest_outbox(me, &end.to_string()).await?;
            }
            return Ok(jittered(REST));
        }
        let cursor = match reading.cursor.take() {
            Some(cursor) if reading.stored == standing.cursor => cursor,
            _ => begin(&standing),
        };
        reading.stored.clone_from(&standing.cursor);
        let page = self.records_after(&cursor, PAGE).await?;
        if page.anew {
            // What was told before is known by its id, and not told again.
            tracing::warn!(
                "this database was restored from another server: events are looked for from the time on \
                 up to which they were read there"
            );
        }
        let due = page.anew || standing.rested > LEASE / 2 || standing.cursor.is_none();
        if !page.records.is_empty() || due {
            let from = reading.stored.as_deref();
            let Some(deliveries) = self.dispatch(me, from, &page.records, &page.cursor).await?
            else {
                *reading = Reading::default();
                return Ok(jittered(REST));
            };
            if deliveries > 0 {
                tracing::debug!(deliveries, "events go out");
            }
            reading.stored = Some(page.cursor.to_string());
        }
        reading.cursor = Some(page.cursor);
        Ok(if page.more {
            Duration::ZERO
        } else {
            jittered(LOOK_EVERY)
        })
    }
}

/// Returns where reading begins.
fn begin(standing: &Standing) -> Cursor {
    let stored = standing
        .cursor
        .as_deref()
        .and_then(|text| text.parse().ok());
    stored.unwrap_or_else(|| Cursor::since(standing.wanted_since.unwrap_or_default()))
}

/// Waits until a subscription was made or changed.
async fn changed(hints: &mut broadcast::Receiver<Hint>) {
    loop {
        match hints.recv().await {
            Ok(Hint::Changed { entity, .. }) if entity == subscription::ENTITY => return,
            Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
