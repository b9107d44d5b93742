//! Writes one batch, however often it must be tried, and tells its drivers what came of it.
//!
//! What goes wrong for everybody is waited out. Where a row is to blame, its driver hears of it, and only that
//! one. And where nobody knows whom or what to blame, a run is neither failed nor may it hold up the others: it
//! is set aside, and tried again by itself.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::Committed;
use super::batch::Batch;
use super::lane::Driver;
use super::write::{Usual, Writer, Written, plan, write};
use crate::backoff::Backoff;
use crate::error::{Fault, ends_session, sql_state};
use crate::link::{Link, timed_out};
use crate::listen::Hint;
use crate::worker::Life;
use crate::worker::owner::Owner;

/// How long a commit may take. Longer than a worker lives unseen: by then it is fenced.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a batch is tried as a whole that fails for a reason that is on no list: for a restart, a change of the
/// schema or of rights to pass.
const STRANGE_PATIENCE: Duration = Duration::from_secs(3);

/// Why a batch was not written.
enum Unwritten {
    /// The database will never take it.
    Refused(String),
    /// It does not take it now.
    Strange(String),
}

/// Commits nothing, and as nobody, so that connection and plan are there before a driver needs them. What goes
/// wrong here goes wrong again with the first batch, where it is seen to.
pub(super) async fn warm_up(life: &Life, link: &mut Link, usual: Usual) {
    let Ok((connection, _)) = link.get_prompt().await else {
        return;
    };
    let planned = plan(connection, Writer::NOBODY, &life.store.desk.days, usual);
    if !matches!(
        tokio::time::timeout(COMMIT_TIMEOUT, planned).await,
        Ok(Ok(()))
    ) {
        link.forget();
    }
}

fn writer(life: &Life) -> Writer {
    Writer {
        worker_id: life.id,
        epoch: life.epoch.load(Ordering::Acquire),
    }
}

/// Writes a batch and tells its drivers. When a row is to blame, or may be, each driver is tried alone, so that
/// only the guilty one hears of it. Returns those that must be tried again later.
pub(super) async fn serve(life: &Arc<Life>, link: &mut Link, drivers: Vec<Driver>) -> Vec<Driver> {
    let leaving = drivers.iter().filter(|driver| driver.rows.frees_slot());
    life.leaving(leaving.map(|driver| driver.rows.run_id));
    let outcome = {
        let batch = Batch::of(drivers.iter().map(|driver| &driver.rows));
        settle(life, link, &batch).await
    };
    let counters = &life.store.desk.counters;
    let committed = match outcome {
        Ok(committed) => committed,
        Err(Unwritten::Refused(reason) | Unwritten::Strange(reason)) if drivers.len() > 1 => {
            let runs = drivers.len();
            tracing::warn!(
                reason,
                "a commit was refused; trying its {runs} runs one by one"
            );
            let mut later = Vec::new();
            for driver in drivers {
                later.extend(Box::pin(serve(life, link, vec![driver])).await);
            }
            return later;
        }
        Err(Unwritten::Refused(reason)) => {
            counters.refused_commits.add(1);
            Committed::Refused(reason)
        }
        Err(Unwritten::Strange(reason)) => {
            counters.commits_set_aside.add(1);
            let runs: Vec<_> = drivers.iter().map(|driver| driver.rows.run_id).collect();
            tracing::error!(
                reason,
                ?runs,
                "the database does not take a change of this run; it is tried again"
            );
            return drivers;
        }
    };
    tell(life, &committed, drivers);
    Vec::new()
}

/// Tells drivers what came of their changes.
fn tell(life: &Life, committed: &Committed, drivers: Vec<Driver>) {
    // Before the drivers hear of it, so that a slot is free when its driver ends.
    life.after(
        committed,
        drivers.iter().map(|d| (d.rows.run_id, d.rows.ends())),
    );
    if *committed == Committed::Done {
        let cleared = drivers.iter().filter(|d| d.rows.clears_deaths());
        life.cleared(cleared.map(|d| d.rows.run_id));
        let wake_at = drivers.iter().filter_map(|d| d.rows.wake_at()).min();
        life.wake_at(wake_at);
    }
    for driver in drivers {
        // A driver that went away has dropped its run.
        let _ = driver.answer.send(committed.clone());
    }
}

/// Writes a batch, however often it must be tried.
async fn settle(
    life: &Arc<Life>,
    link: &mut Link,
    batch: &Batch<'_>,
) -> Result<Committed, Unwritten> {
    let mut backoff = Backoff::new();
    let mut strange_since: Option<Instant> = None;
    loop {
        if life.fenced.is_cancelled() {
            return Ok(Committed::Fenced);
        }
        let writer = writer(life);
        let connection = tokio::select! {
            connection = link.get_prompt() => connection,
            () = life.fenced.cancelled() => return Ok(Committed::Fenced),
        };
        let Ok((connection, prompt)) = connection else {
            tokio::select! {
                () = backoff.wait() => {}
                () = life.fenced.cancelled() => {}
                // Nobody waits for a worker that is over; its jobs are freed when it is missed.
                () = life.ended.cancelled() => return Ok(Committed::Unknown),
            }
            continue;
        };
        let writing = write(connection, writer, &life.store.desk.days, batch, prompt);
        let written = tokio::time::timeout(COMMIT_TIMEOUT, writing)
            .await
            .unwrap_or_else(|_| Err(timed_out("a commit")));
        match written {
            Ok(written) if written.owned => {
                announce(life, batch, written);
                return Ok(Committed::Done);
            }
            // Nothing was written: this worker is dead, or it is in another epoch by now.
            Ok(_) => match life.look_up_owner(link).await {
                Ok(Owner::Lost) => return Ok(Committed::Fenced),
                Ok(Owner::Alive) => {}
                Err(_) => backoff.wait().await,
            },
            Err(error) => match Fault::of(&error) {
                Fault::Broken => {
                    tracing::warn!(%error, "a commit's outcome is unknown");
                    link.forget();
                    life.store.desk.counters.unknown_commits.add(1);
                    return Ok(Committed::Unknown);
                }
                Fault::Passing => {
                    tracing::debug!(%error, "a commit is tried again");
                    if ends_session(&error) {
                        link.forget();
                    }
                    backoff.wait().await;
                }
                Fault::Strange => {
                    let since = *strange_since.get_or_insert_with(Instant::now);
                    if batch.drivers == 1 || since.elapsed() >= STRANGE_PATIENCE {
                        let code = sql_state(&error).unwrap_or_default();
                        return Err(Unwritten::Strange(format!("{error} ({code})")));
                    }
                    tracing::warn!(%error, "a commit is tried again, for a reason that is not known to pass");
                    if ends_session(&error) {
                        link.forget();
                    }
                    backoff.wait().await;
                }
                Fault::Guilty => return Err(Unwritten::Refused(error.to_string())),
            },
        }
    }
}

/// Counts, and tells whoever waits.
fn announce(life: &Life, batch: &Batch<'_>, written: Written) {
    let counters = &life.store.desk.counters;
    counters.commit_batches.add(1);
    counters.commits.add(batch.drivers);
    counters
        .committed_steps
        .add(batch.inserts.run_id.len() + batch.updates.run_id.len());
    if usize::try_from(written.finished) != Ok(batch.finished) {
        tracing::error!(
            expected = batch.finished,
            written = written.finished,
            "finished runs were not this worker's"
        );
    }
    if !batch.updates.run_id.is_empty()
        && usize::try_from(written.updated) != Ok(batch.updates.run_id.len())
    {
        tracing::error!(
            expected = batch.updates.run_id.len(),
            written = written.updated,
            "step rows to be updated were missing"
        );
    }
    for (kind, lane) in written.put_up {
        life.store.announce(Hint::PutUp { kind, lane });
    }
    let children = batch.children.iter().map(|child| child.id);
    let changed = batch.records.entity_id.iter().copied();
    life.store.tell_watchers(changed.chain(children));
    if !written.left.is_empty() {
        let store = life.store.clone();
        life.tasks
            .spawn(async move { store.admit(written.left).await });
    }
    for queue in written.due {
        life.store.announce(Hint::Work { queue });
    }
    if !written.ended.is_empty() {
        life.store.announce(Hint::Ended {
            run_ids: written.ended,
        });
    }
    if !written.told.is_empty() {
        life.store.announce(Hint::Inbox {
            run_ids: written.told,
        });
    }
}
