//! The seats of this worker at agents with `max_concurrency`: a call waits here for one.
//!
//! A seat that is taken from the database goes from call to call of this worker for [`TENURE`], and
//! is then given back and not taken again for [`ABSTENTION`], so that other workers, which ask every
//! [`POLL`] while their calls wait, have their turn. A call waits for [`PATIENCE`] only: its run would
//! hold a slot all that time. After it the step rests, and its attempt does not count.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use stepwell_queue::seat::Seating;
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

/// How long a worker passes a seat on from call to call before others have their turn.
const TENURE: Duration = Duration::from_secs(1);
/// How long it then leaves free seats to others: longer than they go without asking.
const ABSTENTION: Duration = Duration::from_millis(120);
/// How long a worker whose calls wait goes without asking for seats.
const POLL: Duration = Duration::from_millis(80);
/// How long a call waits for a seat before its step rests.
const PATIENCE: Duration = Duration::from_secs(1);

/// The seats of one registered worker.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    worker: Mutex<Option<Seating>>,
    tables: Mutex<HashMap<(Uuid, Uuid), Arc<Table>>>,
}

/// The seats at one agent under one registration.
#[derive(Debug)]
struct Table {
    seating: Seating,
    agent_id: Uuid,
    places: Mutex<Places>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Places {
    most: u32,
    /// Whether the missing rows were made for so many.
    made: u32,
    waiting: VecDeque<oneshot::Sender<Seat>>,
    /// To be given back.
    left: Vec<i32>,
    abstains_until: Option<Instant>,
    kept: bool,
}

/// A seat at an agent; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    number: i32,
    taken_at: Instant,
    table: Arc<Table>,
}

impl Seats {
    /// From now on seats are taken by this worker. What an earlier one had is its own to lose.
    pub(crate) fn register(&self, seating: Seating) {
        *lock(&self.worker) = Some(seating);
        lock(&self.tables).clear();
    }

    /// Waits for a seat at an agent that has `most`; `None` when there was none in time.
    pub(crate) async fn take(&self, agent_id: Uuid, most: u32) -> Option<Seat> {
        let seating = lock(&self.worker).clone()?;
        let table = Arc::clone(
            lock(&self.tables)
                .entry((seating.worker_id(), agent_id))
                .or_insert_with(|| Table::new(seating, agent_id)),
        );
        let seat = table.ask(most);
        tokio::time::timeout(PATIENCE, seat).await.ok()?.ok()
    }
}

impl Table {
    fn new(seating: Seating, agent_id: Uuid) -> Arc<Self> {
        Arc::new(Self {
            seating,
            agent_id,
            places: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Gets in line.
    fn ask(self: &Arc<Self>, most: u32) -> oneshot::Receiver<Seat> {
        let (give, given) = oneshot::channel();
        let mut places = lock(&self.places);
        places.most = most;
        places.waiting.push_back(give);
        if !std::mem::replace(&mut places.kept, true) {
            tokio::spawn(Arc::clone(self).keep());
        }
        self.changed.notify_one();
        given
    }

    /// Takes seats while calls wait, and gives back what is left.
    async fn keep(self: Arc<Self>) {
        loop {
            let (left, wanted, wait) = {
                let mut places = lock(&self.places);
                places.waiting.retain(|waiting| !waiting.is_closed());
                let wanted = places.waiting.len();
                if wanted == 0 && places.left.is_empty() {
                    places.kept = false;
                    return;
                }
                let wait = places
                    .abstains_until
                    .filter(|until| *until > Instant::now());
                (std::mem::take(&mut places.left), wanted, wait)
            };
            if !left.is_empty() {
                self.seating.leave(self.agent_id, &left).await;
            }
            if let Some(until) = wait {
                tokio::time::sleep_until(until).await;
                continue;
            }
            if wanted > 0 && !self.take(wanted).await {
                let _ = tokio::time::timeout(POLL, self.changed.notified()).await;
                // Many calls that come at once are no reason to ask more often.
                tokio::time::sleep(POLL / 4).await;
            }
        }
    }

    /// Takes seats and hands them out; `false` when there was none.
    async fn take(self: &Arc<Self>, wanted: usize) -> bool {
        let (most, made) = {
            let places = lock(&self.places);
            (places.most, places.made)
        };
        if made != most {
            if self.seating.make(self.agent_id, most).await.is_err() {
                return false;
            }
            lock(&self.places).made = most;
        }
        let numbers = match self.seating.take(self.agent_id, most, wanted).await {
            Ok(numbers) => numbers,
            Err(error) => {
                tracing::debug!(%error, "seats at an agent could not be asked for");
                return false;
            }
        };
        let found = !numbers.is_empty();
        let taken_at = Instant::now();
        for number in numbers {
            self.hand_out(Seat {
                number,
                taken_at,
                table: Arc::clone(self),
            });
        }
        found
    }

    /// Gives a seat to the first who still waits; one that nobody wants is dropped, hence left.
    fn hand_out(&self, mut seat: Seat) {
        loop {
            let Some(waiting) = lock(&self.places).waiting.pop_front() else {
                return drop(seat);
            };
            match waiting.send(seat) {
                Ok(()) => return,
                Err(unwanted) => seat = unwanted,
            }
        }
    }

    /// A call is over: its seat goes to the next one, or back.
    fn freed(self: &Arc<Self>, number: i32, taken_at: Instant) {
        if taken_at.elapsed() < TENURE {
            // Taken out first: a seat that nobody takes comes back here.
            let next = {
                let mut places = lock(&self.places);
                std::iter::from_fn(|| places.waiting.pop_front()).find(|next| !next.is_closed())
            };
            if let Some(next) = next {
                let seat = Seat {
                    number,
                    taken_at,
                    table: Arc::clone(self),
                };
                // Whoever gave up in this moment drops it.
                drop(next.send(seat));
                return;
            }
        }
        let mut places = lock(&self.places);
        if taken_at.elapsed() >= TENURE && !places.waiting.is_empty() {
            places.abstains_until = Some(Instant::now() + ABSTENTION);
        }
        places.left.push(number);
        if !places.kept
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            places.kept = true;
            runtime.spawn(Arc::clone(self).keep());
        }
        self.changed.notify_one();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.table.freed(self.number, self.taken_at);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two calls.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
