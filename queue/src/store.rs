//! The one handle on the database that callers hold.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::sync::{Semaphore, broadcast};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Error;
use crate::clock;
use crate::counters::Counters;
use crate::day::Days;
use crate::descriptors::Reserve;
use crate::enqueue::Intake;
use crate::feed::Interest;
use crate::heed::Heeding;
use crate::link;
use crate::listen::{Hint, Listening};
use crate::notify::Notifier;
use crate::retention::Retention;

/// Hints that a slow subscriber may fall behind before it hears that it missed some.
const HINTS_BEHIND_MAX: usize = 4_096;

/// How to reach the database.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://…`; TLS by rustls when `sslmode` asks for it.
    pub url: SecretString,
    /// Connections of the pool that serves requests. Hot loops hold connections of their own.
    pub pool_max: u32,
    /// How long a caller waits for a connection before it hears [`Error::Unavailable`].
    pub acquire_timeout: Duration,
    /// Whether LISTEN may be used; `false` behind PgBouncer in transaction mode.
    pub listen: bool,
    /// What is kept for how long.
    pub retention: Retention,
    /// 32 bytes that encrypt secrets at rest; without it, agents with credentials are refused.
    pub master_key: Option<SecretString>,
}

impl StoreOptions {
    /// The defaults for a database at this URL.
    #[must_use]
    pub fn new(url: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            pool_max: 16,
            acquire_timeout: Duration::from_secs(5),
            listen: true,
            retention: Retention::default(),
            master_key: None,
        }
    }
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) pool: PgPool,
    /// For statements that look one run up by its id: their plan is made once, where a list with its
    /// many filters needs one for the values at hand.
    pub(crate) lookups: PgPool,
    pub(crate) options: Arc<StoreOptions>,
    pub(crate) desk: Arc<Desk>,
    /// The agents that this process has called lately.
    pub(crate) agents: crate::agent::Targets,
    pub(crate) workflows: Arc<crate::workflow::Cache>,
    pub(crate) keys: crate::key::Seen,
    pub(crate) ends: Arc<crate::run::Ends>,
    pub(crate) signer: Arc<tokio::sync::OnceCell<crate::token::Signer>>,
    pub(crate) log: Arc<crate::log::Writer>,
    pub(crate) feed: Arc<crate::feed::Feed>,
}

/// What all clones of a store share besides the pool.
#[derive(Debug)]
pub(crate) struct Desk {
    pub(crate) connect: PgConnectOptions,
    /// Names this process's sessions ([`session_name`]), so that others can end what it left behind.
    pub(crate) session: Uuid,
    pub(crate) hints: broadcast::Sender<Hint>,
    pub(crate) notifier: Notifier,
    pub(crate) listening: Listening,
    pub(crate) heeding: Heeding,
    pub(crate) intake: Intake,
    pub(crate) interest: Interest,
    pub(crate) counters: Arc<Counters>,
    pub(crate) days: Days,
    /// Turns of those who ask for places under concurrency keys.
    pub(crate) asking: Semaphore,
    /// Turns of those who report results from outside, as many wait for one run's job as somebody repeats its report.
    pub(crate) reporting: Semaphore,
    pub(crate) closing: CancellationToken,
    /// Cancelled when what is rarer than runs may begin.
    pub(crate) settled: CancellationToken,
    _descriptors: Reserve,
}

impl Store {
    /// Opens the pool; call it within a tokio runtime. Does not wait for the database: an absent
    /// one shows at the first use.
    ///
    /// # Errors
    /// [`Error::Refused`] when the URL cannot be read.
    pub fn open(options: StoreOptions) -> Result<Self, Error> {
        let connect =
            PgConnectOptions::from_str(options.url.expose_secret()).map_err(Error::Refused)?;
        let session = clock::id();
        let connect = link::session(&connect, &session_name(session), options.listen);
        // The two share what the process may have.
        let half = (options.pool_max / 2).max(1);
        let rest = options.pool_max.saturating_sub(half).max(1);
        let pool = connections(&options, rest, link::brief(&connect, options.listen));
        let lookups = connections(&options, half, link::steady(&connect, options.listen));
        let closing = CancellationToken::new();
        let (hints, _) = broadcast::channel(HINTS_BEHIND_MAX);
        let counters = Arc::<Counters>::default();
        let desk = Desk {
            notifier: Notifier::new(
                connect.clone(),
                options.listen,
                Arc::clone(&counters),
                closing.clone(),
            ),
            listening: Listening::default(),
            heeding: Heeding::default(),
            intake: Intake::default(),
            interest: Interest::default(),
            counters,
            days: Days::new(),
            connect,
            session,
            hints,
            asking: crate::place::turns(rest),
            reporting: crate::place::turns(rest / 2),
            closing,
            settled: CancellationToken::new(),
            _descriptors: Reserve::of(options.pool_max),
        };
        Ok(Self {
            pool,
            lookups,
            options: Arc::new(options),
            desk: Arc::new(desk),
            agents: crate::agent::Targets::new(),
            workflows: Arc::default(),
            keys: crate::key::Seen::default(),
            ends: Arc::default(),
            signer: Arc::default(),
            log: Arc::default(),
            feed: Arc::default(),
        })
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query!("select 1 as one")
            .fetch_one(&self.pool)
            .await?;
        Ok(())
    }

    /// Sets [`clock`] before the first time is written down, where no statement has been sent yet.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn set_clock(&self) -> Result<(), Error> {
        if !clock::is_set() {
            drop(self.pool.acquire().await?);
        }
        Ok(())
    }

    /// Ends this store's tasks and closes every connection.
    pub async fn close(&self) {
        self.desk.closing.cancel();
        self.pool.close().await;
        self.lookups.close().await;
    }

    /// What the hot loops have done since the store was opened.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.desk.counters)
    }

    /// A connection for a loop with ordinary statements.
    pub(crate) fn link(&self) -> link::Link {
        link::Link::new(self.desk.connect.clone())
    }

    /// A connection for a loop with hot statements.
    pub(crate) fn steady_link(&self) -> link::Link {
        link::Link::new(link::steady(&self.desk.connect, self.options.listen))
    }

    /// Tells this process and, coalesced and after the fact, the others.
    pub(crate) fn announce(&self, hint: Hint) {
        self.desk.notifier.post(&hint);
        // Nobody listening is no fault.
        let _ = self.desk.hints.send(hint);
    }
}

/// Returns the `application_name` of the sessions of one process, as `mark_dead` looks for it.
fn session_name(session: Uuid) -> String {
    format!("stepwell {session}")
}

/// Opens a pool whose connections are made when they are needed.
fn connections(options: &StoreOptions, most: u32, connect: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(options.acquire_timeout)
        // As for the loops' own connections: asked for a sign of life only after a rest.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > link::TRUSTED_FOR {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|connection, _| Box::pin(clock::set_by(connection)))
        .connect_lazy_with(connect)
}
