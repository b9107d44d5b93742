//! The loop that looks when the next schedule is due. It runs in every API and worker; the database's
//! clock is the one that counts, and each look sets ours.

use std::time::Duration;

use stepwell_workflow::Time;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::ENTITY;
use crate::backoff::{Backoff, jittered};
use crate::clock::Question;
use crate::listen::Hint;
use crate::{Error, Store};

/// How long a schedule that was made or moved goes unseen where no hint comes through.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Store {
    /// Makes the runs of schedules as they fall due, until `stop`. Workers do it by themselves.
    pub async fn keep_schedules(&self, stop: CancellationToken) {
        run(self.clone(), stop).await;
    }

    /// Makes the runs that are due by the database's clock; returns how long until the next.
    async fn fire_by_the_clock(&self) -> Result<Option<Duration>, Error> {
        loop {
            let mut connection = self.pool.acquire().await?;
            let time = Question::ask();
            let look = sqlx::query!(
                r#"select clock_timestamp() as "now!", (select min(next_at) from stepwell.schedule) as next_at"#
            )
            .fetch_one(&mut *connection)
            .await?;
            drop(connection);
            time.answered(look.now);
            let (now, next_at): (Time, Option<Time>) = (look.now, look.next_at);
            let Some(next_at) = next_at else {
                return Ok(None);
            };
            // What is due and not ours to take is looked at again with the next poll.
            if next_at > now || self.fire_due(now).await? == 0 {
                return Ok((next_at - now).to_std().ok());
            }
        }
    }
}

/// The loop.
pub(crate) async fn run(store: Store, stop: CancellationToken) {
    let mut hints = store.hints();
    let mut backoff = Backoff::new();
    while !stop.is_cancelled() {
        let wait = match store.fire_by_the_clock().await {
            Ok(until_next) => {
                backoff.reset();
                let poll = jittered(LOOK_EVERY);
                until_next.map_or(poll, |next| next.min(poll))
            }
            Err(error) => {
                tracing::warn!(%error, "schedules are looked at again");
                backoff.step()
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = store.desk.closing.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
            () = changed(&mut hints) => {}
        }
    }
}

/// Waits until a schedule was made or changed.
async fn changed(hints: &mut broadcast::Receiver<Hint>) {
    loop {
        match hints.recv().await {
            Ok(Hint::Changed { entity, .. }) if entity == ENTITY => return,
            Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => return,
            Ok(_) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
