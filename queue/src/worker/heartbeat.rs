//! Says every few seconds that this worker lives, and looks after those that no longer say so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Life, rescue};
use crate::Error;
use crate::backoff::Backoff;
use crate::link::{Link, timed_out};
use crate::place;

/// How soon a new worker looks after the others, which has to wait until it has begun with its own work.
const FIRST_BEAT: Duration = Duration::from_secs(1);

/// Beats until the worker retires or is fenced.
pub(super) async fn run(life: Arc<Life>) {
    let mut link = life.link();
    let mut backoff = Backoff::new();
    // When the database was away, everybody was silent. The others get time to be heard again
    // before we call them dead.
    let mut sure_from = Instant::now();
    let mut failing = false;
    // The registration was the first beat.
    let every = life.options.heartbeat.max(Duration::from_millis(10));
    let mut beat = tokio::time::interval_at((Instant::now() + every.min(FIRST_BEAT)).into(), every);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            _ = beat.tick() => {}
        }
        let beaten = tokio::time::timeout(life.options.dead_after / 2, once(&life, &mut link))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(timed_out("a heartbeat"))));
        match beaten {
            Ok(true) => {
                backoff.reset();
                life.beats.send_modify(|beats| *beats += 1);
                if std::mem::replace(&mut failing, false) {
                    sure_from = Instant::now() + life.options.dead_after;
                }
            }
            Ok(false) => {
                tracing::error!(worker = %life.id, "the database holds this worker for dead");
                life.fenced.cancel();
                break;
            }
            Err(error) => {
                tracing::warn!(%error, "a heartbeat failed");
                link.forget();
                failing = true;
                beat.reset_after(backoff.step().min(life.options.heartbeat));
                continue;
            }
        }
        if Instant::now() >= sure_from
            && let Err(error) = rescue::once(&life, &mut link).await
        {
            tracing::warn!(%error, "a rescue failed; the next one goes on with it");
            link.forget();
        }
        if let Err(error) = sweep(&life, &mut link).await {
            tracing::warn!(%error, "places could not be looked after; the next beat does");
            link.forget();
        }
    }
    link.close().await;
}

/// Says that this worker lives; `false`: the database does not think so.
async fn once(life: &Life, link: &mut Link) -> Result<bool, Error> {
    let row = sqlx::query_file!(
        "queries/heartbeat.sql",
        life.id,
        i32::try_from(life.held.len()).unwrap_or(i32::MAX),
        life.takings.rates(Instant::now()),
    )
    .fetch_optional(link.get().await?)
    .await?;
    let Some(row) = row else { return Ok(false) };
    life.epoch.fetch_max(row.epoch, Ordering::AcqRel);
    if row.draining {
        life.draining.cancel();
    }
    Ok(true)
}

async fn sweep(life: &Life, link: &mut Link) -> Result<(), Error> {
    place::sweep(&life.store, link.get().await?).await
}
