//! What the Postgres server is like that everything rests on: for whoever looks after it, never for
//! the product's own decisions.

use std::time::Duration;

use stepwell_workflow::Time;

use crate::{Error, Store};

/// The server's version, clock and the settings that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// As `server_version` has it: `17.2 (Debian 17.2-1)`.
    pub version: String,
    /// As `server_version_num` has it: 170002.
    pub version_number: i32,
    pub now: Time,
    /// It replays another server's changes and takes none.
    pub is_standby: bool,
    pub connections: i64,
    pub connections_max: i64,
    pub shared_buffers_bytes: i64,
    pub wal_level: String,
    pub synchronous_commit: String,
    pub fsync: bool,
    pub full_page_writes: bool,
    pub autovacuum: bool,
    /// How long the oldest open transaction of any database has been open: what it can see is kept.
    pub oldest_transaction: Duration,
}

/// How the housekeeping of the schema stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upkeep {
    /// Days after today that have their partitions, of the table that has fewest.
    pub days_ahead: i64,
    /// Workers that are silent for too long and still hold runs: nobody has freed them yet.
    pub workers_silent: i64,
}

impl Store {
    /// Asks the server what it is like.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn server(&self) -> Result<Server, Error> {
        let row = sqlx::query!(
            r#"select current_setting('server_version') as "version!",
                      current_setting('server_version_num')::int as "version_number!",
                      clock_timestamp() as "now!",
                      pg_is_in_recovery() as "is_standby!",
                      (select count(*) from pg_stat_activity where backend_type = 'client backend') as "connections!",
                      current_setting('max_connections')::bigint as "connections_max!",
                      pg_size_bytes(current_setting('shared_buffers')) as "shared_buffers_bytes!",
                      current_setting('wal_level') as "wal_level!",
                      current_setting('synchronous_commit') as "synchronous_commit!",
                      current_setting('fsync')::bool as "fsync!",
                      current_setting('full_page_writes')::bool as "full_page_writes!",
                      current_setting('autovacuum')::bool as "autovacuum!",
                      (select coalesce(extract(epoch from max(now() - xact_start)), 0)::float8
                       from pg_stat_activity
                       where backend_type = 'client backend' and pid <> pg_backend_pid()) as "oldest_s!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Server {
            version: row.version,
            version_number: row.version_number,
            now: row.now,
            is_standby: row.is_standby,
            connections: row.connections,
            connections_max: row.connections_max,
            shared_buffers_bytes: row.shared_buffers_bytes,
            wal_level: row.wal_level,
            synchronous_commit: row.synchronous_commit,
            fsync: row.fsync,
            full_page_writes: row.full_page_writes,
            autovacuum: row.autovacuum,
            oldest_transaction: Duration::try_from_secs_f64(row.oldest_s).unwrap_or_default(),
        })
    }

    /// Asks how the housekeeping stands. The schema must be that of this program.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn upkeep(&self) -> Result<Upkeep, Error> {
        let row = sqlx::query!(
            r#"select (select min(ahead) from (
                          select count(to_regclass('stepwell.' || parent || '_'
                                     || to_char(now() at time zone 'utc' + make_interval(days => n), 'YYYYMMDD'))) as ahead
                          from unnest(array['run', 'step', 'audit']) as parent, generate_series(1, 7) as n
                          group by parent) as tables) as "days_ahead!",
                      (select count(*) from stepwell.worker
                       where freed_at is null
                         and seen_at < now() - make_interval(secs => dead_after_ms / 1000.0)) as "workers_silent!""#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Upkeep {
            days_ahead: row.days_ahead,
            workers_silent: row.workers_silent,
        })
    }
}
