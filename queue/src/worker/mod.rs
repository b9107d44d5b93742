//! A worker's life in the database: it registers with a fresh id, beats, and is fenced when it is
//! thought dead (D4).
//!
//! [`life`] is what its loops share, [`held`] what it has in its hands, [`heartbeat`] keeps it alive, [`owner`] asks whether it still
//! is, [`rescue`] frees the jobs of dead ones, [`reconcile`] frees jobs of its own that it may have
//! lost sight of, [`watch`] tells drivers of messages, [`census`] counts
//! those that live, [`list`] shows them, [`skew`] tells whose clock is wrong, [`drain`] lets one finish, [`takings`] is how fast it claims, [`settling`]
//! lets what is rarer begin later.

mod census;
mod drain;
mod heartbeat;
mod held;
mod life;
mod list;
pub(crate) mod owner;
mod reconcile;
mod rescue;
mod settling;
mod skew;
mod takings;
mod watch;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use census::Census;
pub use drain::Drained;
pub use held::Driving;
pub(crate) use life::Life;
pub use list::{Member, MemberFilter, MemberPage};
pub use skew::Skewed;

use crate::backend::{Acknowledgement, Backend};
use crate::claim;
use crate::clock;
use crate::commit::Lanes;
use crate::detached::Detached;
use crate::link::Link;
use crate::place;
use crate::seat::Seating;
use crate::text::clean;
use crate::{Committer, Error, Store};

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "worker";
/// Runs that one worker may hold at once: each has its state in memory.
pub const SLOTS_MAX: usize = 10_000;
/// How long a retiring worker waits for its loops.
const LOOPS_END: Duration = Duration::from_secs(5);

/// What a worker offers and how it behaves.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// For people; the host name by default.
    pub name: String,
    /// In order of preference; due work is claimed from all of them.
    pub queues: Vec<String>,
    /// Runs held at once, at most [`SLOTS_MAX`].
    pub slots: usize,
    /// Milliseconds are the unit of the settings; 5 s by default.
    pub heartbeat: Duration,
    /// Silence after which a worker is held to be dead; 20 s by default.
    pub dead_after: Duration,
    /// How long an idle worker goes without asking; 1 s by default, jittered.
    pub poll: Duration,
}

/// A registered worker: heartbeat, claims, commits, rescue of the dead.
#[derive(Debug)]
pub struct Worker {
    life: Arc<Life>,
    lanes: Arc<Lanes>,
    /// The connection of the claims, until a backend takes it.
    claims: Mutex<Option<Link>>,
}

impl Store {
    /// Registers a worker under a fresh id and starts its loops.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn register(&self, options: WorkerOptions) -> Result<Worker, Error> {
        self.set_clock().await?;
        let id = clock::id();
        let queues: Vec<_> = options
            .queues
            .iter()
            .map(|queue| clean(queue).into_owned())
            .collect();
        let slots = options.slots.clamp(1, SLOTS_MAX);
        let options = WorkerOptions {
            queues,
            slots,
            ..options
        };
        let life = Arc::new(Life::new(id, self.clone(), options));
        let mut claims = life.steady_link();
        let lanes = Arc::new(Lanes::new());
        let entering = async {
            let partitioned = life.enter().await?;
            // While the claims' connection is still being made: what they find, the lanes are to commit soon.
            lanes.start(&life);
            Ok::<_, Error>(partitioned)
        };
        // Side by side: each waits for a backend that starts and plans.
        let (entered, ()) = tokio::join!(entering, claim::warm_up(&mut claims, &life));
        let partitioned = entered?;
        life.tasks.spawn(heartbeat::run(Arc::clone(&life)));
        life.tasks.spawn(rescue::run(Arc::clone(&life)));
        life.tasks.spawn(place::sweep(Arc::clone(&life)));
        life.tasks.spawn(reconcile::run(Arc::clone(&life)));
        life.tasks.spawn(watch::run(Arc::clone(&life)));
        life.tasks.spawn(crate::partition::maintain(
            self.clone(),
            !partitioned,
            life.ended.clone(),
        ));
        life.tasks.spawn(settling::run(Arc::clone(&life)));
        life.tasks.spawn(settling::keep_outbox(Arc::clone(&life)));
        life.tasks
            .spawn(settling::keep_schedules(Arc::clone(&life)));
        let claims = Mutex::new(Some(claims));
        Ok(Worker {
            life,
            lanes,
            claims,
        })
    }
}

impl Worker {
    /// Its id, fresh for each registration.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.life.id
    }

    /// The group commit of this worker.
    #[must_use]
    pub fn committer(&self) -> Committer {
        Committer {
            lanes: Arc::clone(&self.lanes),
        }
    }

    /// The apalis backend that yields [`crate::Claimed`] runs until `stop` is cancelled. What it has
    /// claimed and not yet yielded by then is given back.
    #[must_use]
    pub fn backend(&self, stop: CancellationToken) -> Backend {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let link = claims.take().unwrap_or_else(|| self.life.steady_link());
        Backend::new(Arc::clone(&self.life), self.committer(), link, stop)
    }

    /// Gives back a run whose driver broke where apalis does not see it.
    pub fn broke(&self, run_id: Uuid, error: String) -> impl Future<Output = ()> + Send + use<> {
        let acknowledgement = Acknowledgement {
            life: Arc::clone(&self.life),
            committer: self.committer(),
        };
        acknowledgement.broke(run_id, error)
    }

    /// Registers a driver for messages to its run; the receiver yields whenever there may be some
    /// (NOTIFY, or the half-second poll). Dropping it ends the subscription.
    #[must_use]
    pub fn watch_inbox(&self, run_id: Uuid) -> mpsc::Receiver<()> {
        self.life.watchers.add(run_id)
    }

    /// The worker's hand on attempts that others put up.
    #[must_use]
    pub fn detached(&self) -> Detached {
        Detached::new(Arc::clone(&self.life))
    }

    /// The worker's hand on the seats at agents.
    #[must_use]
    pub fn seating(&self) -> Seating {
        Seating::new(Arc::clone(&self.life))
    }

    /// Cancelled when the database holds this worker for dead, or lost some of what it did: every
    /// driver must drop its run, and the process registers anew.
    #[must_use]
    pub fn fenced(&self) -> CancellationToken {
        self.life.fenced.clone()
    }

    /// Cancelled when an operator asked this worker to drain: it claims nothing any more.
    #[must_use]
    pub fn draining(&self) -> CancellationToken {
        self.life.draining.clone()
    }

    /// Says in the database that this worker drains, for whoever looks. Nothing depends on it: a
    /// worker that cannot say so drains all the same.
    pub fn say_draining(&self) -> impl Future<Output = ()> + Send + 'static {
        let life = Arc::clone(&self.life);
        async move {
            if let Err(error) = life.say_draining().await {
                tracing::debug!(%error, "nobody hears that this worker drains");
            }
        }
    }

    /// Takes note that somebody drives a run, for as long as what is returned lives.
    #[must_use]
    pub fn driving(&self, run_id: Uuid) -> Driving {
        Driving::new(Arc::clone(&self.life), run_id)
    }

    /// Returns how many runs it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.life.held.len()
    }

    /// Gives every job back and marks the worker gone. Call when all drivers have ended.
    pub async fn retire(self) {
        let life = self.life;
        life.ended.cancel();
        life.tasks.close();
        let _ = tokio::time::timeout(LOOPS_END, life.tasks.wait()).await;
        // On another timeline the row may be that of a worker that lives, and its jobs would wait for its silence.
        if life.fenced.is_cancelled() && !life.timeline.was_left() {
            return;
        }
        if let Err(error) = life.leave().await {
            tracing::warn!(%error, "could not say goodbye; the jobs are freed when this worker is missed");
        }
    }
}
