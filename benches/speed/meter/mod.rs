//! What a stretch of work cost: WAL, transactions, statements, processor time, memory.
//!
//! The meter asks from a database of its own, and takes its own looks at the measured database off
//! what it counts.

pub(crate) mod process;
pub(crate) mod statements;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};

pub(crate) use process::Spent;

/// How long connections that were closed may take until the server has counted them.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);

/// A reading of every counter.
#[derive(Debug)]
pub(crate) struct Reading {
    wal: i64,
    transactions: i64,
    statements: Option<i64>,
    postgres: f64,
}

/// The difference of two readings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) wal_bytes: f64,
    pub(crate) transactions: f64,
    /// Without the extension `pg_stat_statements` nobody counts them.
    pub(crate) statements: Option<f64>,
    pub(crate) postgres_seconds: f64,
}

/// Reads the counters of one server and database.
#[derive(Debug)]
pub(crate) struct Meter {
    admin: String,
    database: String,
    postmaster: u32,
    counts_statements: bool,
    own_transactions: AtomicU64,
}

impl Meter {
    /// `admin` is the URL of another database of the same server.
    pub(crate) fn new(
        admin: String,
        database: String,
        postmaster: u32,
        counts_statements: bool,
    ) -> Self {
        Self {
            admin,
            database,
            postmaster,
            counts_statements,
            own_transactions: AtomicU64::new(0),
        }
    }

    /// Notes that the measurement itself made so many transactions in the database.
    pub(crate) fn forgive(&self, transactions: u64) {
        self.own_transactions
            .fetch_add(transactions, Ordering::Relaxed);
    }

    /// Begins a stretch.
    pub(crate) async fn begin(&self) -> Reading {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        if self.counts_statements {
            statements::reset(&mut connection, &self.database).await;
        }
        self.own_transactions.store(0, Ordering::Relaxed);
        let reading = self.read(&mut connection).await;
        connection.close().await.unwrap();
        reading
    }

    /// Ends a stretch. Whoever worked in it should have closed its connections: a server counts
    /// the transactions of an open one up to ten seconds later.
    pub(crate) async fn since(&self, first: &Reading) -> Cost {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        self.settle(&mut connection).await;
        let last = self.read(&mut connection).await;
        connection.close().await.unwrap();
        let own = self.own_transactions.load(Ordering::Relaxed) as f64;
        let statements = last.statements.zip(first.statements);
        Cost {
            wal_bytes: (last.wal - first.wal) as f64,
            transactions: (last.transactions - first.transactions) as f64 - own,
            statements: statements.map(|(last, first)| (last - first) as f64),
            postgres_seconds: last.postgres - first.postgres,
        }
    }

    async fn read(&self, connection: &mut PgConnection) -> Reading {
        let (wal, transactions): (i64, i64) = sqlx::query_as(
            "select (pg_current_wal_lsn() - '0/0')::bigint,
                    (select xact_commit from pg_stat_database where datname = $1)",
        )
        .bind(&self.database)
        .fetch_one(&mut *connection)
        .await
        .unwrap();
        let statements = if self.counts_statements {
            Some(statements::count(connection, &self.database).await)
        } else {
            None
        };
        Reading {
            wal,
            transactions,
            statements,
            postgres: process::server_seconds(self.postmaster),
        }
    }

    /// Waits until the connections to the database have ended, if they are about to.
    async fn settle(&self, connection: &mut PgConnection) {
        let deadline = Instant::now() + SETTLED_WITHIN;
        loop {
            let open: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                 where datname = $1 and backend_type = 'client backend'",
            )
            .bind(&self.database)
            .fetch_one(&mut *connection)
            .await
            .unwrap();
            if open == 0 {
                return;
            }
            if Instant::now() > deadline {
                eprintln!("{open} connections are open: their last transactions are not counted");
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
