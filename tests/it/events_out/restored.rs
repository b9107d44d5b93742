//! A dump that is restored on another server, whose transactions are numbered from the beginning.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use serde_json::json;

use super::late::hold_outbox;
use super::receiver::{quick, subscribe, told_of};
use crate::durability::away::own_server;
use crate::harness::{Agent, App, Database, PATIENCE, Server, server, until};

/// Copies a database to another server.
fn restore(from: &Database, to: &Database) {
    let mut dump = Command::new(server::bin().join("pg_dump"))
        .args(["--no-owner", "--no-privileges", "--dbname"])
        .arg(&from.url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = Command::new(server::bin().join("psql"))
        .args([
            "--no-psqlrc",
            "--quiet",
            "--set",
            "ON_ERROR_STOP=1",
            "--dbname",
        ])
        .arg(&to.url)
        .stdin(dump.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(dump.wait().unwrap().success());
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn what_was_not_read_before_the_dump_is_told_after_it() {
    let (_first_server, mut app) = own_server(1).await;
    let agent = Agent::start().await;
    quick(&app, "quick").await;
    // Far more transactions than the other server will have made.
    app.database
        .run("do $$ begin for i in 1 .. 20000 loop perform pg_current_xact_id(); commit; end loop; end $$")
        .await;
    subscribe(&app, &agent.url("/hook"), json!(["stepwell.run.completed"])).await;
    let told = app.api.start("quick", json!({"n": 1})).await;
    told_of(&agent, "/hook", std::slice::from_ref(&told)).await;
    until("the delivery is settled", PATIENCE, async || {
        let open = "select count(*) from stepwell.delivery where status <> 'delivered'";
        (app.database.number(open).await == 0).then_some(())
    })
    .await;
    let holder = hold_outbox(&app).await;
    let unread = app.api.start("quick", json!({"n": 2})).await;
    app.api.finished(&unread).await;
    for process in &mut app.processes {
        process.kill().await;
    }
    holder.rollback().await.unwrap();
    assert_eq!(
        agent.calls("/hook").len(),
        1,
        "nobody has told of the second run"
    );

    let second_server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::on(&second_server).await;
    restore(&app.database, &database);
    let number = "select pg_current_xact_id()::text::bigint";
    assert!(database.number(number).await < app.database.number(number).await);
    let mut restored = App::on(database, &[]);
    restored.api().await;
    restored.worker();
    let new = restored.api.start("quick", json!({"n": 3})).await;
    told_of(&agent, "/hook", &[unread.clone(), new.clone()]).await;
    let mut times: BTreeMap<String, usize> = BTreeMap::new();
    for call in agent.calls("/hook") {
        let subject = call.body["subject"].as_str().unwrap().to_owned();
        *times.entry(subject).or_default() += 1;
    }
    let once = [told, unread, new].map(|run| (run, 1));
    assert_eq!(times, BTreeMap::from(once), "each is told of once");
    restored.finish().await;
}
