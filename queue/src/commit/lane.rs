//! Natural group commit: a lane writes whatever has piled up while its last commit was in flight.
//!
//! A run always goes to the same lane, and occurs once in a batch, so its changes are committed in
//! the order in which its driver made them.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use super::rows::Rows;
use super::settle::{serve, warm_up};
use super::write::Usual;
use super::{Committed, Committing};
use crate::backoff::Backoff;
use crate::link::Link;
use crate::worker::Life;

/// Commits in flight at once: while one waits for the disk, the other's rows are being made.
const LANES: usize = 2;
/// Rows of one batch: a statement of some tens of milliseconds.
const BATCH_ROWS_MAX: usize = 4_000;
/// How long nobody comes before a lane takes the time to plan.
const QUIET: Duration = Duration::from_millis(10);
/// Bytes of payloads in one batch, unless one driver's are larger.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// The queues in front of the group commit of one worker.
#[derive(Debug)]
pub(crate) struct Lanes {
    lanes: Vec<Lane>,
    /// Held by the lane that makes its first plan.
    planning: tokio::sync::Mutex<()>,
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

/// Changes that the database does not take for now; they are tried by themselves, one after the other.
#[derive(Debug)]
struct Aside {
    driver: Driver,
    backoff: Backoff,
    again_at: Instant,
}

/// One driver's changes on their way, and where their outcome is awaited.
#[derive(Debug)]
pub(super) struct Driver {
    pub(super) rows: Rows,
    pub(super) answer: oneshot::Sender<Committed>,
}

impl Lanes {
    pub(crate) fn new() -> Self {
        Self {
            lanes: (0..LANES).map(|_| Lane::default()).collect(),
            planning: tokio::sync::Mutex::new(()),
        }
    }

    /// Starts the loops.
    pub(crate) fn start(self: &Arc<Self>, life: &Arc<Life>) {
        for n in 0..self.lanes.len() {
            let (lanes, life) = (Arc::clone(self), Arc::clone(life));
            life.tasks.clone().spawn(async move {
                if let Some(lane) = lanes.lanes.get(n) {
                    lane.run(&life, &lanes.planning).await;
                }
            });
        }
    }

    /// Lines these rows up.
    pub(super) fn put(&self, rows: Rows) -> Committing {
        // The last bytes of a UUIDv7 are random.
        let lane = usize::from(rows.run_id.as_bytes()[15]) % self.lanes.len();
        Committing(self.lanes.get(lane).and_then(|lane| lane.put(rows)))
    }
}

impl Lane {
    /// Lines rows up; `None` when this worker is over.
    fn put(&self, rows: Rows) -> Option<oneshot::Receiver<Committed>> {
        let (answer, answered) = oneshot::channel();
        {
            let mut waiting = self.lock();
            if waiting.closed {
                return None;
            }
            waiting.drivers.push_back(Driver { rows, answer });
        }
        self.arrived.notify_one();
        Some(answered)
    }

    async fn run(&self, life: &Arc<Life>, planning: &tokio::sync::Mutex<()>) {
        let mut link = life.steady_link();
        // What a backlog needs is planned at once, by one lane after the other, so that a claim that is under way
        // keeps a core; the rest while nobody waits.
        tokio::select! {
            biased;
            _turn = planning.lock() => warm_up(life, &mut link, Usual::Jobs).await,
            () = self.arrived.notified() => {}
            () = life.ended.cancelled() => {}
        }
        let mut unplanned = vec![Usual::Lean, Usual::Steps];
        let mut aside: Vec<Aside> = Vec::new();
        loop {
            self.gather().await;
            let batch = self.take(&aside);
            if !batch.is_empty() {
                let later = serve(life, &mut link, batch).await;
                aside.extend(later.into_iter().map(Aside::new));
                // Not only when nobody else comes.
                try_again(life, &mut link, &mut aside).await;
                continue;
            }
            let again_at = aside.iter().map(|aside| aside.again_at).min();
            tokio::select! {
                biased;
                () = life.ended.cancelled() => break,
                () = self.arrived.notified() => {}
                () = sleep_until(again_at) => try_again(life, &mut link, &mut aside).await,
                () = tokio::time::sleep(QUIET), if !unplanned.is_empty() => {
                    if let Some(usual) = unplanned.pop() {
                        warm_up(life, &mut link, usual).await;
                    }
                }
            }
        }
        // Whoever comes now is told that this worker is over.
        let late = {
            let mut waiting = self.lock();
            waiting.closed = true;
            std::mem::take(&mut waiting.drivers)
        };
        for driver in late
            .into_iter()
            .chain(aside.into_iter().map(|aside| aside.driver))
        {
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

    /// Takes the next batch. What a run wants written after changes that are set aside waits for those.
    fn take(&self, aside: &[Aside]) -> Vec<Driver> {
        let mut waiting = self.lock();
        let (mut rows, mut bytes) = (0, 0);
        let mut batch = Vec::new();
        let mut runs: HashSet<_> = aside.iter().map(|aside| aside.driver.rows.run_id).collect();
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

impl Aside {
    fn new(driver: Driver) -> Self {
        let mut backoff = Backoff::new();
        let again_at = Instant::now() + backoff.step();
        Self {
            driver,
            backoff,
            again_at,
        }
    }
}

/// Tries those again whose time has come.
async fn try_again(life: &Arc<Life>, link: &mut Link, aside: &mut Vec<Aside>) {
    let now = Instant::now();
    for mut one in std::mem::take(aside) {
        if one.again_at > now {
            aside.push(one);
            continue;
        }
        for driver in serve(life, link, vec![one.driver]).await {
            let again_at = Instant::now() + one.backoff.step();
            aside.push(Aside {
                driver,
                backoff: std::mem::replace(&mut one.backoff, Backoff::new()),
                again_at,
            });
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
