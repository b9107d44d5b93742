//! A database per test.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A database; [`Database::drop_it`] removes it.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) pool: PgPool,
}

fn server() -> String {
    std::env::var("QUEUE_TEST_DATABASE_URL")
        .unwrap_or_else(|_| "postgres://postgres@127.0.0.1:55432".into())
}

impl Database {
    /// A database without anything in it.
    pub(crate) async fn empty() -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("queue_{}_{number}", std::process::id());
        let admin = format!("{}/postgres", server());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let sql = format!("create database {name} template template0");
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
        let url = format!("{}/{name}", server());
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(3)
            .connect_lazy(&url)
            .unwrap();
        Self { name, url, pool }
    }

    /// Runs a statement that gives nothing back.
    pub(crate) async fn run(&self, sql: &str) {
        self.pool
            .execute(AssertSqlSafe(sql.to_owned()))
            .await
            .unwrap();
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The one text that a query gives, if it gives any.
    pub(crate) async fn text(&self, sql: &str) -> Option<String> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&self.pool)
            .await
            .unwrap()
    }

    /// Removes it.
    pub(crate) async fn drop_it(self) {
        self.pool.close().await;
        let admin = format!("{}/postgres", server());
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let sql = format!("drop database if exists {} with (force)", self.name);
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    }
}
