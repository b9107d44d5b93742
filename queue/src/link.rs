//! A connection that one loop owns. It is made when it is needed, and forgotten when it breaks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::Error;
use crate::prompt::is_prompt;
use crate::timeline::Timeline;
use crate::transaction;

/// How long a connection may take to open: beyond it, the host is held to be away.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection unused for longer is asked for a sign of life first: the server may have restarted
/// since, and then a statement's outcome need not stay unknown. Less than a restart takes, so that
/// the first statement after one goes well; more than a busy loop rests, which is never held up.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_millis(100);
/// A host that vanished, with no power or cut off, is missed by the server within ten seconds, whether
/// it owes the server something or the server waits for it to take something: its locks go with it.
const KEEPALIVES: [(&str, &str); 4] = [
    ("tcp_keepalives_idle", "4"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10s"),
];
/// Makes plans of hot statements independent of what the tables held when they were planned: index
/// scans inside nested loops, with partitions chosen at run time.
const STEADY_PLANS: [(&str, &str); 6] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// Returns the options that every session of a process has: its name, by which others find what it left
/// behind, and its limits ([`crate::transaction`]). Behind a pooler in transaction mode a session's
/// settings would leak to others, so there each transaction brings its own.
pub(crate) fn session(options: &PgConnectOptions, name: &str, direct: bool) -> PgConnectOptions {
    // Poolers refuse parameters that they do not know, and from Postgres 12 on its default is exact.
    let options = options
        .clone()
        .application_name(name)
        .extra_float_digits(None);
    if direct {
        options.options(transaction::LIMITS).options(KEEPALIVES)
    } else {
        options
    }
}

/// Returns the options of connections for hot statements.
pub(crate) fn steady(options: &PgConnectOptions, direct: bool) -> PgConnectOptions {
    if direct {
        options.clone().options(STEADY_PLANS)
    } else {
        options.clone()
    }
}

/// Returns the options of connections that serve requests. Their statements touch few rows of many
/// partitions: JIT takes a second to compile what then runs for a millisecond. Most of their filters
/// are absent at any time, so a plan that is good for all values is good for none.
pub(crate) fn brief(options: &PgConnectOptions, direct: bool) -> PgConnectOptions {
    if direct {
        options
            .clone()
            .options([("jit", "off"), ("plan_cache_mode", "force_custom_plan")])
    } else {
        options.clone()
    }
}

/// One connection, or none at the moment.
#[derive(Debug)]
pub(crate) struct Link {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
    used_at: Instant,
    /// Whether the connection sends small writes at once, once that was looked at.
    prompt: Option<bool>,
    /// Where it must lead to, for a worker.
    timeline: Option<Arc<Timeline>>,
}

impl Link {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self {
            options,
            connection: None,
            used_at: Instant::now(),
            prompt: None,
            timeline: None,
        }
    }

    /// Opens it on this timeline alone.
    pub(crate) fn on(mut self, timeline: &Arc<Timeline>) -> Self {
        self.timeline = Some(Arc::clone(timeline));
        self
    }

    /// Returns the connection, opening it if there is none.
    pub(crate) async fn get(&mut self) -> Result<&mut PgConnection, Error> {
        if let Some(connection) = &mut self.connection
            && self.used_at.elapsed() > TRUSTED_FOR
        {
            let alive = tokio::time::timeout(CONNECT_TIMEOUT, connection.ping()).await;
            if !matches!(alive, Ok(Ok(()))) {
                self.connection = None;
            }
        }
        self.used_at = Instant::now();
        if self.connection.is_none() {
            let opened = tokio::time::timeout(CONNECT_TIMEOUT, self.open()).await;
            self.connection = Some(opened.map_err(|_| timed_out("connecting"))??);
            self.prompt = None;
        }
        self.connection
            .as_mut()
            .ok_or_else(|| Error::Unavailable(sqlx::Error::WorkerCrashed))
    }

    async fn open(&self) -> Result<PgConnection, sqlx::Error> {
        let mut opened = self.options.connect().await?;
        if let Some(timeline) = &self.timeline {
            timeline.check(&mut opened).await?;
        }
        Ok(opened)
    }

    /// Returns the connection, and whether it sends small writes at once.
    pub(crate) async fn get_prompt(&mut self) -> Result<(&mut PgConnection, bool), Error> {
        self.get().await?;
        let prompt = match (self.prompt, &mut self.connection) {
            (Some(prompt), _) => prompt,
            (None, Some(connection)) => {
                let looked = tokio::time::timeout(CONNECT_TIMEOUT, is_prompt(connection)).await;
                let looked = looked.unwrap_or_else(|_| Err(timed_out("looking at a socket")));
                if looked.is_err() {
                    self.forget();
                }
                looked?
            }
            (None, None) => false,
        };
        self.prompt = Some(prompt);
        let connection = self.connection.as_mut();
        let connection =
            connection.ok_or_else(|| Error::Unavailable(sqlx::Error::WorkerCrashed))?;
        Ok((connection, prompt))
    }

    /// Drops a connection that can no longer be trusted.
    pub(crate) fn forget(&mut self) {
        self.connection = None;
    }

    /// Says goodbye to the server.
    pub(crate) async fn close(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = tokio::time::timeout(CONNECT_TIMEOUT, connection.close()).await;
        }
    }
}

/// An operation that took too long, as an error of the connection.
pub(crate) fn timed_out(what: &str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(
        std::io::ErrorKind::TimedOut,
        format!("{what} took too long"),
    ))
}
