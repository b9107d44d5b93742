//! Says every few seconds that this worker lives, and nothing else.
//!
//! It has a connection and a task of its own, and writes its own row only: nobody who waits for a lock, for
//! a connection or for a lost process is in its way. [`super::rescue`] looks after those that are silent.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Life;
use crate::Error;
use crate::backoff::Backoff;
use crate::clock;
use crate::link::{Link, timed_out};

/// Beats until the worker retires or is fenced.
pub(super) async fn run(life: Arc<Life>) {
    let mut link = life.link();
    // Opened before what the runs need takes the descriptors, and kept.
    let _ = link.get().await;
    let mut backoff = Backoff::new();
    let mut failing = false;
    // The registration was the first beat.
    let mut beat = life.rounds();
    loop {
        tokio::select! {
            () = life.ended.cancelled() => break,
            () = life.fenced.cancelled() => break,
            _ = beat.tick() => {}
        }
        let beaten = tokio::time::timeout(patience(&life), once(&life, &mut link))
            .await
            .unwrap_or_else(|_| Err(Error::Unavailable(timed_out("a heartbeat"))));
        match beaten {
            Ok(true) => {
                backoff.reset();
                life.beats.send_modify(|beats| *beats += 1);
                if std::mem::replace(&mut failing, false) {
                    // When the database was away, everybody was silent. The others get time to be
                    // heard again before we call them dead.
                    life.doubt_silence_until(Instant::now() + life.options.dead_after);
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
    }
    link.close().await;
}

/// How long a beat may take: then it is tried on another connection, while there is time for two more
/// before this worker is held for dead.
fn patience(life: &Life) -> Duration {
    life.options.dead_after / 3
}

/// Says that this worker lives; `false`: the database does not think so.
async fn once(life: &Life, link: &mut Link) -> Result<bool, Error> {
    let connection = link.get().await?;
    let time = clock::Question::ask();
    let row = sqlx::query_file!(
        "queries/heartbeat.sql",
        life.id,
        i32::try_from(life.held.len()).unwrap_or(i32::MAX),
        life.takings.rates(Instant::now()),
        clock::skew_ms(),
    )
    .fetch_optional(connection)
    .await?;
    let Some(row) = row else { return Ok(false) };
    time.answered(row.at);
    life.epoch.fetch_max(row.epoch, Ordering::AcqRel);
    if row.draining {
        life.draining.cancel();
    }
    Ok(true)
}
