//! What the loops of one worker share.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use stepwell_workflow::Time;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::WorkerOptions;
use super::held::{Held, Makes};
use super::takings::Takings;
use super::watch::Watchers;
use crate::clock;
use crate::commit::Committed;
use crate::link::Link;
use crate::listen::Hint;
use crate::seat::Seats;
use crate::text::clean;
use crate::timeline::Timeline;
use crate::{Error, Store};

/// How soon a new worker looks after the others.
const FIRST_ROUND: Duration = Duration::from_secs(1);
/// The least time between two beats.
const SHORTEST_BEAT: Duration = Duration::from_millis(10);
/// How long a run may be held and not driven: much longer than one hand takes to pass it to the next.
const UNDRIVEN_MAX: Duration = Duration::from_secs(10);
/// No run of this worker waits for a time.
const NEVER: i64 = i64::MAX;

/// One registration of a worker.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) id: Uuid,
    pub(crate) store: Store,
    pub(crate) options: WorkerOptions,
    /// The epoch that our statements name; the database's may be ahead for a moment.
    pub(crate) epoch: AtomicI32,
    pub(crate) held: Held,
    /// The attempts that it makes for the drivers of others.
    pub(crate) makes: Makes,
    /// The seats that it has at agents.
    pub(crate) seats: Seats,
    /// As `claiming`, for attempts.
    pub(crate) taking: tokio::sync::Mutex<()>,
    pub(super) takings: Takings,
    pub(crate) watchers: Watchers,
    /// Claims and reconciliation take turns: a claim that is under way holds jobs that are not yet
    /// among the held.
    pub(crate) claiming: tokio::sync::Mutex<()>,
    /// Jobs may be leased to us that we do not hold.
    pub(super) doubt: AtomicBool,
    pub(super) doubted: Notify,
    /// Runs that were let go of so far.
    come_through: AtomicUsize,
    /// A slot became free.
    pub(crate) freed: Notify,
    /// A wake-up time was set.
    pub(crate) woken: Notify,
    wake_at_micros: AtomicI64,
    /// Counts the heartbeats that went well.
    pub(crate) beats: watch::Sender<u64>,
    pub(crate) fenced: CancellationToken,
    pub(super) timeline: Arc<Timeline>,
    /// Until then it says nothing of the others that they are silent.
    silence_doubted_until: Mutex<Instant>,
    pub(crate) draining: CancellationToken,
    /// The worker retires: its loops end.
    pub(crate) ended: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Life {
    pub(super) fn new(id: Uuid, store: Store, options: WorkerOptions) -> Self {
        let fenced = CancellationToken::new();
        Self {
            id,
            store,
            options,
            epoch: AtomicI32::new(1),
            held: Held::default(),
            makes: Makes::default(),
            seats: Seats::default(),
            taking: tokio::sync::Mutex::new(()),
            takings: Takings::default(),
            watchers: Watchers::default(),
            claiming: tokio::sync::Mutex::new(()),
            doubt: AtomicBool::new(false),
            doubted: Notify::new(),
            come_through: AtomicUsize::new(0),
            freed: Notify::new(),
            woken: Notify::new(),
            wake_at_micros: AtomicI64::new(NEVER),
            beats: watch::Sender::new(0),
            timeline: Arc::new(Timeline::new(fenced.clone())),
            silence_doubted_until: Mutex::new(Instant::now()),
            fenced,
            draining: CancellationToken::new(),
            ended: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Beats at which this worker says that it lives and looks after others. The first comes soon, but
    /// not before it has begun with its own work.
    pub(crate) fn rounds(&self) -> tokio::time::Interval {
        let every = self.options.heartbeat.max(SHORTEST_BEAT);
        let first = tokio::time::Instant::now() + every.min(FIRST_ROUND);
        let mut rounds = tokio::time::interval_at(first, every);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        rounds
    }

    /// Whether workers that are silent for too long can be held for dead.
    pub(super) fn silence_counts(&self, now: Instant) -> bool {
        now >= *lock(&self.silence_doubted_until)
    }

    /// Gives the others time to be heard again.
    pub(super) fn doubt_silence_until(&self, until: Instant) {
        *lock(&self.silence_doubted_until) = until;
    }

    /// A connection for a loop with ordinary statements.
    pub(crate) fn link(&self) -> Link {
        self.store.link().on(&self.timeline)
    }

    /// A connection for a loop with hot statements.
    pub(crate) fn steady_link(&self) -> Link {
        self.store.steady_link().on(&self.timeline)
    }

    /// Takes note of a commit: which runs are no longer held, and what to do about an unknown one.
    pub(crate) fn after(&self, committed: &Committed, runs: impl Iterator<Item = (Uuid, bool)>) {
        match committed {
            Committed::Done => {
                let ended = runs.filter(|(_, ends)| *ends).map(|(id, _)| id);
                let gone = self.held.remove(ended);
                self.come_through.fetch_add(gone, Ordering::Relaxed);
            }
            Committed::Unknown => {
                self.held.remove(runs.map(|(id, _)| id));
                self.doubt();
            }
            Committed::Fenced => self.fenced.cancel(),
            Committed::Refused(_) => {}
        }
        self.freed.notify_one();
    }

    /// Takes note that these runs are no suspects any more.
    pub(crate) fn cleared(&self, runs: impl Iterator<Item = Uuid>) {
        let mut runs = runs.peekable();
        // As a rule there are none, and this comes with each commit.
        if runs.peek().is_some() {
            self.held.clear(runs);
            self.freed.notify_one();
        }
    }

    /// Gives back what is held and driven by nobody. That must not be; if it is, nobody would ever move it.
    pub(super) fn give_orphans_back(&self) {
        let orphans = self.held.take_orphans(Instant::now(), UNDRIVEN_MAX);
        if orphans.is_empty() {
            return;
        }
        tracing::error!(runs = ?orphans, "these runs were held and nobody drove them; they are given back");
        self.store
            .desk
            .counters
            .orphans_given_back
            .add(orphans.len());
        self.freed.notify_one();
        self.doubt();
    }

    /// Takes note that the ends of these runs are being committed: others may have their slots.
    pub(crate) fn leaving(&self, runs: impl Iterator<Item = Uuid>) {
        if self.held.leave(runs) > 0 {
            self.freed.notify_one();
        }
    }

    /// Returns how many runs were let go of so far.
    pub(crate) fn come_through(&self) -> usize {
        self.come_through.load(Ordering::Relaxed)
    }

    /// Notes that so many jobs of a queue were claimed.
    pub(crate) fn took_up(&self, queue: &str, jobs: usize) {
        if jobs > 0 {
            self.takings.add(queue, jobs);
        }
    }

    /// Lets the reconciliation look for jobs that are leased to us and not held.
    pub(crate) fn doubt(&self) {
        self.doubt.store(true, Ordering::Release);
        self.doubted.notify_one();
    }

    /// Whether there may be something of ours that we do not know of.
    pub(crate) fn in_doubt(&self) -> bool {
        self.doubt.load(Ordering::Acquire)
    }

    /// Remembers that a run of ours is due at this time, so that it is claimed then.
    pub(crate) fn wake_at(&self, at: Option<Time>) {
        if let Some(at) = at {
            self.wake_at_micros
                .fetch_min(at.timestamp_micros(), Ordering::AcqRel);
            self.woken.notify_one();
        }
    }

    /// Returns the earliest of the remembered times and forgets them: the claim that follows looks
    /// at the database.
    pub(crate) fn take_wake_at(&self) -> Option<Time> {
        Time::from_timestamp_micros(self.wake_at_micros.swap(NEVER, Ordering::AcqRel))
    }

    /// Writes this worker's row. Returns whether today has its partitions.
    pub(super) async fn enter(&self) -> Result<bool, Error> {
        let options = &self.options;
        let partitioned = sqlx::query_scalar!(
            r#"insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms, session, clock_skew_ms)
               values ($1, $2, $3, $4, $5, $6, $7, $8)
               returning to_regclass('stepwell.audit_' || to_char(now() at time zone 'utc', 'YYYYMMDD'))
                   is not null as "partitioned!""#,
            self.id,
            clean(&options.name) as _,
            env!("CARGO_PKG_VERSION"),
            &options.queues,
            i32::try_from(options.slots).unwrap_or(i32::MAX),
            i32::try_from(options.dead_after.as_millis()).unwrap_or(i32::MAX),
            self.store.desk.session,
            clock::skew_ms(),
        )
        .fetch_one(&self.store.pool)
        .await?;
        Ok(partitioned)
    }

    /// Shows this worker as draining, unless it is already over.
    pub(super) async fn say_draining(&self) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.worker set status = 'draining' where id = $1 and status = 'alive'",
            self.id
        )
        .execute(&self.store.pool)
        .await?;
        Ok(())
    }

    /// Frees whatever is leased to this worker and marks it gone.
    pub(super) async fn leave(&self) -> Result<(), Error> {
        let mut connection = self.store.pool.acquire().await?;
        sqlx::query!(
            "with me as materialized (
                 select id from stepwell.worker
                 where id = $1 and status in ('alive', 'draining') for update)
             update stepwell.worker w set status = 'gone', ended_at = now() from me where w.id = me.id",
            self.id
        )
        .execute(&mut *connection)
        .await?;
        let freed = super::rescue::free_all(&mut connection, self.id, &[], 0).await?;
        crate::detached::free(&mut connection, &self.store, self.id, &[], 0).await?;
        // Else another worker frees the rest.
        if freed.left == 0 {
            sqlx::query!(
                "update stepwell.worker set freed_at = now() where id = $1 and status = 'gone'",
                self.id
            )
            .execute(&mut *connection)
            .await?;
        }
        for queue in freed.queues {
            self.store.announce(Hint::Work { queue });
        }
        Ok(())
    }
}

fn lock(instant: &Mutex<Instant>) -> MutexGuard<'_, Instant> {
    // A point in time is whole whatever happened.
    instant.lock().unwrap_or_else(PoisonError::into_inner)
}
