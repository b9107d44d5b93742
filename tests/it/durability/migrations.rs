//! The schema's versions.

use std::process::Command;

use crate::harness::process::{EXIT_FAILED, EXIT_OK};
use crate::harness::{Client, Database, Process, app, server};

fn migrate(database: &Database, name: &str, arguments: &[&str]) -> Process {
    Process::spawn(name, arguments, &[("DATABASE_URL", &database.url)])
}

async fn done(database: &Database, arguments: &[&str]) -> String {
    let mut process = migrate(database, "migrate", arguments);
    let status = process.exit().await;
    assert_eq!(
        status.code(),
        Some(EXIT_OK),
        "{arguments:?}: {}",
        process.log()
    );
    process.output()
}

/// The schema as `pg_dump` sees it, without what differs from dump to dump.
fn dump(database: &Database) -> String {
    let output = Command::new(server::bin().join("pg_dump"))
        .args(["--schema-only", "--no-owner", "--dbname"])
        .arg(&database.url)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text
        .lines()
        .filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
    lines.collect::<Vec<_>>().join("\n")
}

async fn migrations(database: &Database) -> Vec<serde_json::Value> {
    let output = done(database, &["migrate", "status", "--json"]).await;
    let status: serde_json::Value =
        serde_json::from_str(&output).unwrap_or_else(|_| panic!("{output}"));
    let list = status
        .as_array()
        .or_else(|| status["migrations"].as_array());
    list.unwrap_or_else(|| panic!("{status}")).clone()
}

#[tokio::test]
async fn up_down_up_comes_to_the_same_schema() {
    let database = Database::empty().await;
    let empty = dump(&database);
    done(&database, &["migrate", "up"]).await;
    let first = dump(&database);
    let all = migrations(&database).await;
    assert!(all.iter().all(|m| m["applied"] == true), "{all:?}");
    // Every step of the way down and up again.
    for _ in 0..all.len() {
        done(&database, &["migrate", "down"]).await;
    }
    let applied = migrations(&database).await;
    assert!(applied.iter().all(|m| m["applied"] == false), "{applied:?}");
    let left = dump(&database);
    let tables = left.matches("CREATE TABLE").count();
    assert!(
        left == empty || tables <= 1,
        "only the history of migrations is left: {left}"
    );
    done(&database, &["migrate", "up"]).await;
    assert_eq!(dump(&database), first);
    database.drop_it().await;
}

#[tokio::test]
async fn up_twice_does_nothing_the_second_time() {
    let database = Database::empty().await;
    done(&database, &["migrate", "up"]).await;
    let before = dump(&database);
    done(&database, &["migrate", "up"]).await;
    assert_eq!(dump(&database), before);
    database.drop_it().await;
}

#[tokio::test]
async fn eight_that_migrate_at_once_migrate_once() {
    let database = Database::empty().await;
    let mut processes: Vec<_> = (0..8)
        .map(|n| migrate(&database, &format!("migrate{n}"), &["migrate", "up"]))
        .collect();
    for process in &mut processes {
        assert_eq!(
            process.exit().await.code(),
            Some(EXIT_OK),
            "{}",
            process.log()
        );
    }
    let twice = "select count(*) - count(distinct version) from stepwell.migration";
    assert_eq!(database.number(twice).await, 0);
    database.drop_it().await;
}

#[tokio::test]
async fn a_binary_that_is_older_than_the_schema_refuses_to_start() {
    let database = Database::migrated().await;
    let newer = "insert into stepwell.migration (version, name, applied_on, checksum)
                 values (9999, 'of_the_future', '2030-01-01T00:00:00Z', '1')";
    database.run(newer).await;
    let port = crate::harness::port::free().to_string();
    for arguments in [
        &["api", "--port", &port][..],
        &["worker"],
        &["up", "--port", &port],
        &["migrate", "up"],
    ] {
        let mut process = migrate(&database, arguments[0], arguments);
        let status = process.exit().await;
        assert_eq!(
            status.code(),
            Some(EXIT_FAILED),
            "{arguments:?}: {}",
            process.log()
        );
        let log = process.log();
        assert!(log.contains("newer"), "{arguments:?}: {log}");
        assert!(!log.contains("panicked"), "{log}");
    }
    database.drop_it().await;
}

#[tokio::test]
async fn api_and_worker_on_an_empty_database_say_what_to_do() {
    let database = Database::empty().await;
    let mut process = migrate(&database, "worker", &["worker"]);
    // Either it migrates by itself, or it says how to.
    let said = crate::harness::until("it starts or ends", crate::harness::PATIENCE, async || {
        let log = process.log();
        let ended = process.ended();
        (ended.is_some() || log.contains("ready")).then_some((ended, log))
    })
    .await;
    if let (Some(status), log) = &said {
        assert_eq!(status.code(), Some(EXIT_FAILED), "{log}");
        assert!(
            process.log().contains("stepwell migrate up"),
            "{}",
            process.log()
        );
    }
    drop(process);
    database.drop_it().await;
}

#[tokio::test]
async fn five_that_start_at_once_on_an_empty_database_all_serve() {
    let database = Database::empty().await;
    let mut started = Vec::new();
    for _ in 0..5 {
        let port = crate::harness::port::free();
        let variables = [
            ("DATABASE_URL", database.url.as_str()),
            ("STEPWELL_DATABASE_POOL_MAX", "3"),
        ];
        let process = Process::spawn("up", &["up", "--port", &port.to_string()], &variables);
        started.push((Client::new(port), process));
    }
    for (client, process) in &mut started {
        app::ready(client, std::slice::from_mut(process)).await;
    }
    for (_, process) in &mut started {
        assert_eq!(
            process.stop().await.code(),
            Some(EXIT_OK),
            "{}",
            process.log()
        );
    }
    database.drop_it().await;
}
