//! After a statement whose outcome is unknown, jobs may be leased to this worker that it does not
//! hold: a claim whose answer was lost, or a run dropped because nobody knows what its last commit
//! came to. They are given back, and so are
//! seats at agents that it does not know of.
//!
//! The lost statement may still arrive at the server. So the epoch is raised first, under a lock that
//! waits for statements in flight: whatever names the old epoch finds no owner and writes nothing.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Life, rescue};
use crate::Error;
use crate::backoff::Backoff;
use crate::link::Link;
use crate::listen::Hint;
use crate::seat;

/// Waits for doubts and clears them, until the worker retires or is fenced.
pub(super) async fn run(life: Arc<Life>) {
    let mut link = life.link();
    let mut backoff = Backoff::new();
    let mut round = life.rounds();
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            () = life.doubted.notified() => {}
            _ = round.tick() => life.give_orphans_back(),
        }
        while life.doubt.swap(false, Ordering::AcqRel) {
            match once(&life, &mut link).await {
                Ok(0) => {
                    backoff.reset();
                    continue;
                }
                Ok(left) => tracing::debug!(left, "somebody has jobs in doubt locked"),
                Err(error) => {
                    tracing::debug!(%error, "the jobs in doubt stay leased for now");
                    link.forget();
                }
            }
            life.doubt.store(true, Ordering::Release);
            tokio::select! {
                () = backoff.wait() => {}
                () = life.ended.cancelled() => break,
                () = life.fenced.cancelled() => break,
            }
        }
    }
    link.close().await;
}

/// Returns how many jobs could not be given back yet.
async fn once(life: &Life, link: &mut Link) -> Result<usize, Error> {
    let _no_claim = life.claiming.lock().await;
    let _no_taking = life.taking.lock().await;
    let connection = link.get().await?;
    let epoch = sqlx::query_scalar!(
        "with me as materialized (
             select id from stepwell.worker
             where id = $1 and status in ('alive', 'draining') for update)
         update stepwell.worker w set epoch = w.epoch + 1 from me where w.id = me.id
         returning w.epoch",
        life.id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(epoch) = epoch else {
        life.fenced.cancel();
        return Ok(0);
    };
    life.epoch.fetch_max(epoch, Ordering::AcqRel);
    let held = life.held.all();
    let freed = rescue::free_all(connection, life.id, &held, 0).await?;
    let makes = life.makes.all();
    let put_up = crate::detached::free(connection, &life.store, life.id, &makes, 0).await?;
    seat::give_back(connection, life).await?;
    let jobs = freed.jobs + put_up;
    if jobs > 0 {
        tracing::info!(freed = jobs, "gave jobs in doubt back");
    }
    for queue in freed.queues {
        life.store.announce(Hint::Work { queue });
    }
    Ok(freed.left)
}
