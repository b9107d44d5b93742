//! Statements, as `pg_stat_statements` counts them.

use std::path::Path;

use sqlx::{Connection, Executor, PgConnection};

/// Every look of the measurement at the measured database holds these words, and is not counted.
pub(crate) const LOOK: &str = "/* the measurement looks */";

/// Whether the library is there for the server whose programs are in this directory. A server that
/// is told to load what is not there does not start.
pub(crate) fn library_is_there(bin: &Path) -> bool {
    let places = [
        "../lib",
        "../lib/postgresql",
        "../lib/pgsql",
        "../lib64/pgsql",
    ];
    let names = ["pg_stat_statements.so", "pg_stat_statements.dylib"];
    places
        .iter()
        .flat_map(|place| names.map(|name| bin.join(place).join(name)))
        .any(|path| path.exists())
}

/// Makes the extension in the meter's database; answers whether it counts.
pub(crate) async fn prepare(admin: &str) -> bool {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let made = connection
        .execute("create extension if not exists pg_stat_statements")
        .await;
    connection.close().await.unwrap();
    made.is_ok()
}

pub(super) async fn reset(connection: &mut PgConnection, database: &str) {
    sqlx::query("select pg_stat_statements_reset(0, oid, 0) from pg_database where datname = $1")
        .bind(database)
        .execute(connection)
        .await
        .unwrap();
}

pub(super) async fn count(connection: &mut PgConnection, database: &str) -> i64 {
    sqlx::query_scalar(
        "select coalesce(sum(calls), 0)::bigint from pg_stat_statements
         where dbid = (select oid from pg_database where datname = $1)
           and position($2 in query) = 0",
    )
    .bind(database)
    .bind(LOOK)
    .fetch_one(connection)
    .await
    .unwrap()
}
