//! The wire itself: what it says of statements is true, and blows fall where they were meant to.

use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};

use super::{Blow, Seen, Target, Wire};
use crate::harness::{Database, Process, until};

const INSERT: &str = "insert into t values (1)";
const WAY: Duration = Duration::from_millis(300);

async fn rows(database: &Database) -> i64 {
    database.number("select count(*) from t").await
}

#[tokio::test]
async fn it_knows_what_runs_in_a_transaction() {
    let database = Database::empty().await;
    database.run("create table t (n int)").await;
    let wire = Wire::to(&database.url).await;
    let mut connection = PgConnection::connect(wire.url()).await.unwrap();
    sqlx::query("insert  into t\n values ($1)")
        .bind(7)
        .execute(&mut connection)
        .await
        .unwrap();
    let mut transaction = connection.begin().await.unwrap();
    sqlx::query("delete from t")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let seen = wire.seen();
    let is_seen = |text: &str, inside, after: Option<&str>| {
        let after = after.map(ToOwned::to_owned);
        seen.contains(&Seen {
            text: text.to_owned(),
            inside,
            after,
        })
    };
    assert!(
        is_seen("insert into t values ($1)", false, None),
        "{seen:#?}"
    );
    assert!(is_seen("delete from t", true, None), "{seen:#?}");
    assert!(is_seen("COMMIT", true, Some("delete from t")), "{seen:#?}");
    drop(connection);
    database.drop_it().await;
}

#[tokio::test]
async fn what_is_cut_was_not_done_and_what_is_lost_was() {
    let database = Database::empty().await;
    database.run("create table t (n int)").await;
    let wire = Wire::to(&database.url).await;
    for (blow, done) in [(Blow::Cut, 0), (Blow::Lose, 1)] {
        let mut connection = PgConnection::connect(wire.url()).await.unwrap();
        wire.arm(Target::with("into t").passing(0), blow);
        assert!(connection.execute(INSERT).await.is_err());
        assert!(wire.is_hit());
        assert_eq!(rows(&database).await, done, "{blow:?}");
    }
    let mut connection = PgConnection::connect(wire.url()).await.unwrap();
    wire.arm(Target::with("into t").passing(1), Blow::Delay(WAY));
    connection.execute(INSERT).await.unwrap();
    let since = Instant::now();
    connection.execute(INSERT).await.unwrap();
    assert!(since.elapsed() >= WAY, "the second is late");
    drop(connection);
    database.drop_it().await;
}

#[tokio::test]
async fn who_asks_is_frozen_before_postgres_hears_of_it() {
    let database = Database::empty().await;
    database.run("create table t (n int)").await;
    let wire = Wire::to(&database.url).await;
    let asks = format!("psql {} -qc '{INSERT}'", wire.url());
    let mut process = Process::spawn_program(
        "/bin/sh".as_ref(),
        "psql",
        &["-c", &format!("exec {asks}")],
        &[],
    );
    wire.leads(&process);
    wire.arm(Target::with("into t"), Blow::FreezeBefore);
    wire.meets().await;
    until(
        "Postgres does it all the same",
        crate::harness::PATIENCE,
        async || (rows(&database).await == 1).then_some(()),
    )
    .await;
    assert_eq!(process.ended(), None, "it does not know of it");
    wire.thaw();
    assert!(process.exit().await.success());
    database.drop_it().await;
}
