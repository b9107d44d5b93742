//! What a stretch of work cost: WAL, transactions, processor time, memory.

use std::fs;

use sqlx::{Connection, PgConnection};

/// A reading of every counter.
#[derive(Debug)]
pub(crate) struct Reading {
    wal: i64,
    transactions: i64,
    postgres: f64,
}

/// The difference of two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wal_bytes: f64,
    pub(crate) transactions: f64,
    pub(crate) postgres_seconds: f64,
}

/// Reads the counters of one server and database.
#[derive(Debug)]
pub(crate) struct Meter {
    url: String,
    database: String,
    postmaster: u32,
}

impl Meter {
    pub(crate) fn new(url: String, database: String, postmaster: u32) -> Self {
        Self {
            url,
            database,
            postmaster,
        }
    }

    pub(crate) async fn read(&self) -> Reading {
        // From another database, so that this adds nothing to what is counted.
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let (wal, transactions): (i64, i64) = sqlx::query_as(
            "select (pg_current_wal_lsn() - '0/0')::bigint,
                    (select xact_commit from pg_stat_database where datname = $1)",
        )
        .bind(&self.database)
        .fetch_one(&mut connection)
        .await
        .unwrap();
        connection.close().await.unwrap();
        Reading {
            wal,
            transactions,
            postgres: server_seconds(self.postmaster),
        }
    }

    pub(crate) async fn since(&self, first: &Reading) -> Cost {
        let last = self.read().await;
        Cost {
            wal_bytes: (last.wal - first.wal) as f64,
            transactions: (last.transactions - first.transactions) as f64,
            postgres_seconds: last.postgres - first.postgres,
        }
    }
}

/// Processor seconds of a process so far.
pub(crate) fn process_seconds(pid: u32) -> f64 {
    fields(pid).map_or(0.0, |fields| ticks(&fields, 11..13))
}

/// The most memory that a process ever held, MiB.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default();
    kib / 1024.0
}

/// Processor seconds of the server: its first process, children that ended, children that live.
fn server_seconds(postmaster: u32) -> f64 {
    let own = fields(postmaster).map_or(0.0, |fields| ticks(&fields, 11..15));
    let path = format!("/proc/{postmaster}/task/{postmaster}/children");
    let children = fs::read_to_string(path).unwrap_or_default();
    let living = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    own + living.map(process_seconds).sum::<f64>()
}

/// The fields of `/proc/<pid>/stat` after the name, which may hold anything.
fn fields(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    Some(rest.split_whitespace().map(ToOwned::to_owned).collect())
}

fn ticks(fields: &[String], range: std::ops::Range<usize>) -> f64 {
    let sum: f64 = fields[range]
        .iter()
        .filter_map(|field| field.parse::<f64>().ok())
        .sum();
    sum / TICKS_PER_SECOND
}

/// What Linux tells userland, on every architecture that we run on.
const TICKS_PER_SECOND: f64 = 100.0;
