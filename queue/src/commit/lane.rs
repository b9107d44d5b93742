//! Natural group commit: a lane writes whatever has piled up while its last commit was in flight.
//!
//! A run always goes to the same lane, and occurs once in a batch, so its changes are committed in
//! the order in which its driver made them.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use super::Committed;
use super::batch::Batch;
use super::rows::Rows;
use super::write::{Written, write};
use crate::backoff::Backoff;
use crate::error::Fault;
use crate::link::{Link, timed_out};
use crate::listen::Hint;
use crate::worker::Life;
use crate::worker::owner::Owner;

/// Commits in flight at once: while one waits for the disk, the other's rows are being made.
const LANES: usize = 2;
/// Rows of one batch: a statement of some tens of milliseconds.
const BATCH_ROWS_MAX: usize = 4_000;
/// Bytes of payloads in one batch, unless one driver's are larger.
const BATCH_BYTES_MAX: usize = 16 << 20;
/// How long a commit may take. Longer than a worker lives unseen: by then it is fenced.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The queues in front of the group commit of one worker.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    actor: String,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    drivers: VecDeque<Driver>,
    closed: bool,
}

#[derive(Debug)]
struct Driver {
    rows: Rows,
    answer: oneshot::Sender<Committed>,
}

impl Lanes {
    pub(crate) fn new(worker_id: Uuid) -> Self {
        Self {
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            actor: format!("worker:{worker_id}"),
        }
    }

    /// Starts the loops.
    pub(crate) fn start(self: &Arc<Self>, life: &Arc<Life>) {
        for n in 0..self.lanes.len() {
            let (lanes, life) = (Arc::clone(self), Arc::clone(life));
            life.tasks.clone().spawn(async move {
                if let Some(lane) = lanes.lanes.get(n) {
                    lane.run(&life).await;
                }
            });
        }
    }

    pub(super) fn actor(&self) -> &str {
        &self.actor
    }

    /// Waits for these rows to be written.
    pub(super) async fn put(&self, rows: Rows) -> Committed {
        // The last bytes of a UUIDv7 are random.
        let lane = usize::from(rows.run_id.as_bytes()[15]) % self.lanes.len();
        let Some(lane) = self.lanes.get(lane) else {
            return Committed::Fenced;
        };
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = lane.lock();
            if waiting.closed {
                return Committed::Fenced;
            }
            waiting.drivers.push_back(Driver { rows, answer });
        }
        lane.arrived.notify_one();
        // A lane that ended without an answer leaves it open what it did.
        answered.await.unwrap_or(Committed::Unknown)
    }
}

impl Lane {
    async fn run(&self, life: &Arc<Life>) {
        let mut link = life.store.steady_link();
        warm_up(life, &mut link).await;
        loop {
            self.gather().await;
            let batch = self.take();
            if !batch.is_empty() {
                serve(life, &mut link, batch).await;
                continue;
            }
            tokio::select! {
                () = life.ended.cancelled() => break,
                () = self.arrived.notified() => {}
            }
        }
        // Whoever comes now is told that this worker is over.
        let late = {
            let mut waiting = self.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.drivers)
        };
        for driver in late {
            let _ = driver.answer.send(Committed::Fenced);
        }
        link.close().await;
    }

    /// Waits as long as drivers keep coming: those that the last commit woke are about to decide
    /// their next step, and one commit of many costs little more than one of the first. Nobody comes
    /// when nobody was woken, so a single run loses nothing.
    async fn gather(&self) {
        let mut known = 0;
        loop {
            let waiting = self.lock().drivers.len();
            if waiting == known || waiting >= BATCH_ROWS_MAX {
                return;
            }
            known = waiting;
            tokio::task::yield_now().await;
        }
    }

    fn take(&self) -> Vec<Driver> {
        let mut waiting = self.lock();
        let (mut rows, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        let mut runs = HashSet::new();
        let mut later = VecDeque::new();
        while rows < BATCH_ROWS_MAX && bytes < BATCH_BYTES_MAX {
            let Some(driver) = waiting.drivers.pop_front() else {
                break;
            };
            if !runs.insert(driver.rows.run_id) {
                later.push_back(driver);
                continue;
            }
            rows += driver.rows.count();
            bytes += driver.rows.bytes;
            batch.push(driver);
        }
        while let Some(driver) = later.pop_back() {
            waiting.drivers.push_front(driver);
        }
        batch
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A queue is whole between any two calls.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commits nothing, so that connection and plan are there before the first driver comes. What goes
/// wrong here goes wrong again with the first batch, where it is seen to.
async fn warm_up(life: &Life, link: &mut Link) {
    let Ok(connection) = link.get().await else {
        return;
    };
    let nothing = Batch::of(std::iter::empty());
    let epoch = life.epoch.load(Ordering::Acquire);
    let written = write(connection, life.id, epoch, &nothing);
    if !matches!(
        tokio::time::timeout(COMMIT_TIMEOUT, written).await,
        Ok(Ok(_))
    ) {
        link.forget();
    }
}

/// Writes a batch and tells its drivers. When a row is to blame, each driver is tried alone, so that
/// only the guilty one hears of it.
async fn serve(life: &Arc<Life>, link: &mut Link, drivers: Vec<Driver>) {
    let outcome = {
        let batch = Batch::of(drivers.iter().map(|driver| &driver.rows));
        settle(life, link, &batch).await
    };
    match outcome {
        Err(reason) if drivers.len() > 1 => {
            tracing::warn!(
                reason,
                "a commit was refused; trying its {} runs one by one",
                drivers.len()
            );
            for driver in drivers {
                Box::pin(serve(life, link, vec![driver])).await;
            }
        }
        outcome => {
            let committed = match outcome {
                Ok(committed) => committed,
                Err(reason) => {
                    life.store.desk.counters.refused_commits.add(1);
                    Committed::Refused(reason)
                }
            };
            // Before the drivers hear of it, so that a slot is free when its driver ends.
            life.after(
                &committed,
                drivers.iter().map(|d| (d.rows.run_id, d.rows.ends())),
            );
            if committed == Committed::Done {
                let wake_at = drivers.iter().filter_map(|d| d.rows.wake_at()).min();
                life.wake_at(wake_at);
            }
            for driver in drivers {
                // A driver that went away has dropped its run.
                let _ = driver.answer.send(committed.clone());
            }
        }
    }
}

/// Writes a batch, however often it must be tried. `Err`: the database will never take it.
async fn settle(life: &Arc<Life>, link: &mut Link, batch: &Batch<'_>) -> Result<Committed, String> {
    let mut backoff = Backoff::new();
    loop {
        if life.fenced.is_cancelled() {
            return Ok(Committed::Fenced);
        }
        let epoch = life.epoch.load(Ordering::Acquire);
        let connection = tokio::select! {
            connection = link.get() => connection,
            () = life.fenced.cancelled() => return Ok(Committed::Fenced),
        };
        let Ok(connection) = connection else {
            tokio::select! {
                () = backoff.wait() => {}
                () = life.fenced.cancelled() => {}
                // Nobody waits for a worker that is over; its jobs are freed when it is missed.
                () = life.ended.cancelled() => return Ok(Committed::Unknown),
            }
            continue;
        };
        let written =
            tokio::time::timeout(COMMIT_TIMEOUT, write(connection, life.id, epoch, batch))
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
                    backoff.wait().await;
                }
                Fault::Guilty => return Err(error.to_string()),
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
