//! Which history of the database a worker lives in.
//!
//! Promoting a replica begins a new timeline, and a replica that lagged lacks commits that were
//! answered. What a worker holds in memory may then be ahead of what the database says: it would
//! commit a run's third step where the second is not known. So a worker that finds another timeline
//! behind a connection than it began on drops its runs and begins anew. See "Timelines" in
//! PostgreSQL's chapter on continuous archiving.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::PgConnection;
use tokio_util::sync::CancellationToken;

use crate::error::{Fault, sql_state};

/// The timeline of one registration: that of its first connection.
#[derive(Debug)]
pub(crate) struct Timeline {
    begun_on: OnceLock<String>,
    left: AtomicBool,
    fenced: CancellationToken,
}

impl Timeline {
    /// `fenced` is cancelled when the timeline turns out to be another one.
    pub(crate) fn new(fenced: CancellationToken) -> Self {
        Self {
            begun_on: OnceLock::new(),
            left: AtomicBool::new(false),
            fenced,
        }
    }

    /// Looks at a connection that was just opened. A service that does not show its WAL is taken at its word.
    ///
    /// # Errors
    /// The connection broke, leads to a server that replays another's WAL and so can write nothing, or to
    /// another timeline.
    pub(crate) async fn check(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        let looked = sqlx::query_scalar!(
            "select case when not pg_is_in_recovery()
                 then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end"
        )
        .fetch_one(connection)
        .await;
        let now = match looked {
            Ok(Some(now)) => now,
            Ok(None) => return Err(refused("the server is a replica")),
            Err(error) if sql_state(&error).is_some() && Fault::of(&error) == Fault::Guilty => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let begun_on = self.begun_on.get_or_init(|| now.clone());
        if *begun_on == now {
            return Ok(());
        }
        if !self.left.swap(true, Ordering::AcqRel) {
            tracing::warn!(%begun_on, %now, "a replica took over, which may lack what was committed last");
        }
        self.fenced.cancel();
        Err(refused("the database is on another timeline"))
    }

    /// Says whether a connection led to another one.
    pub(crate) fn was_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }
}

fn refused(why: &str) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::other(why))
}
