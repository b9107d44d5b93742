//! What Prometheus hears: of the process, of its worker, of the queues and of the database.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{App, Client, Database, PATIENCE, Server, port, until, with_app};

/// The value of one series; `None` when there is no such series.
async fn value(client: &Client, series: &str) -> Option<f64> {
    let text = client.get("/metrics").await.of(200).raw;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    Some(line.parse().unwrap())
}

/// Waits until a series has a value: queues are measured every few seconds.
async fn reaches(client: &Client, series: &str, expected: f64) {
    until(&format!("{series} is {expected}"), PATIENCE, async || {
        let found = value(client, series).await?;
        ((found - expected).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

fn one_step() -> serde_json::Value {
    json!([{"name": "t", "type": "transform", "config": {"value": 1}}])
}

/// A time at which the test is over.
fn soon() -> String {
    (chrono::Utc::now() + Duration::from_secs(3_600)).to_rfc3339()
}

#[tokio::test]
async fn runs_steps_queues_and_workers_are_counted() {
    with_app(async |app| {
        app.api.workflow("w", one_step()).await;
        app.api.workflow("bad", json!([
            {"name": "s", "type": "http", "config": {"url": "http://127.0.0.1:9/"}, "retry": {"max_attempts": 1}},
        ])).await;
        for _ in 0..3 {
            app.api.execute("w", json!({})).await;
        }
        app.api.execute("bad", json!({})).await;
        for _ in 0..2 {
            app.api.start_with("w", json!({"queue": "nobody"})).await;
        }
        let later = json!({"queue": "nobody", "run_at": soon()});
        app.api.start_with("w", later).await;
        for (series, expected) in [
            ("stepwell_runs_finished_total{status=\"completed\"}", 3.0),
            ("stepwell_runs_finished_total{status=\"failed\"}", 1.0),
            ("stepwell_steps_finished_total{status=\"completed\"}", 3.0),
            ("stepwell_steps_finished_total{status=\"failed\"}", 1.0),
            ("stepwell_attempts_ended_total{outcome=\"failed\"}", 1.0),
            ("stepwell_runs_taken_total", 4.0),
            ("stepwell_runs_active", 0.0),
            ("stepwell_claimed_runs_total", 4.0),
            ("stepwell_enqueued_runs_total", 7.0),
            ("stepwell_unknown_commits_total", 0.0),
            ("stepwell_refused_commits_total", 0.0),
            ("stepwell_queue_jobs{queue=\"nobody\",state=\"ready\"}", 2.0),
            ("stepwell_queue_jobs{queue=\"nobody\",state=\"timed\"}", 1.0),
            ("stepwell_queue_jobs{queue=\"nobody\",state=\"parked\"}", 0.0),
            ("stepwell_workers{status=\"alive\"}", 1.0),
            ("stepwell_workers{status=\"draining\"}", 0.0),
            ("stepwell_default_partitions_used", 0.0),
            ("stepwell_database_up", 1.0),
        ] {
            reaches(&app.api, series, expected).await;
        }
        let age = "stepwell_queue_oldest_due_age_seconds{queue=\"nobody\"}";
        assert!(value(&app.api, age).await.unwrap() >= 0.0);
        assert!(value(&app.api, "stepwell_commits_total").await.unwrap() >= 4.0);
        let text = app.api.get("/metrics").await.of(200).raw;
        let build = format!("stepwell_build_info{{version=\"{}\",commit=\"", env!("CARGO_PKG_VERSION"));
        assert!(text.contains(&build), "{text}");
    })
    .await;
}

#[tokio::test]
async fn every_measurement_says_what_it_is_and_is_documented() {
    with_app(async |app| {
        app.api.workflow("w", one_step()).await;
        app.api.start_with("w", json!({"queue": "nobody"})).await;
        reaches(
            &app.api,
            "stepwell_queue_jobs{queue=\"nobody\",state=\"ready\"}",
            1.0,
        )
        .await;
        let text = app.api.get("/metrics").await.of(200).raw;
        let documented = include_str!("../../../docs/operations.md");
        let kinds: Vec<(&str, &str)> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
            .collect();
        assert!(kinds.len() > 20, "{text}");
        for (name, kind) in kinds {
            let suffix = match kind {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            let name = format!("{name}{suffix}");
            let help = format!("# HELP {} ", name.trim_end_matches(suffix));
            let help = text.lines().find_map(|line| line.strip_prefix(&help));
            assert!(
                help.is_some_and(|help| help.ends_with('.') && !help.ends_with("..")),
                "{name}: {help:?}"
            );
            assert!(
                documented.contains(&format!("`{name}")),
                "{name} is not in docs/operations.md"
            );
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    })
    .await;
}

#[tokio::test]
async fn a_scraper_cannot_hurt_the_database() {
    with_app(async |app| {
        app.api.workflow("w", one_step()).await;
        app.api.get("/metrics").await.of(200);
        let asked_at = Instant::now();
        app.api.start_with("w", json!({"queue": "late"})).await;
        let late = "stepwell_queue_jobs{queue=\"late\",state=\"ready\"}";
        let again = value(&app.api, late).await;
        if asked_at.elapsed() < Duration::from_secs(4) {
            assert_eq!(again, None, "the queues were counted again");
        }
        reaches(&app.api, late, 1.0).await;
    })
    .await;
}

#[tokio::test]
async fn a_row_in_a_default_partition_raises_an_alarm() {
    with_app(async |app| {
        let ready = app.api.get("/health/ready").await.of(200).body;
        assert_eq!(ready["warnings"], json!([]), "{ready}");
        app.database
            .run(
                "insert into stepwell.run
                     (id, workflow_id, workflow_name, version, status, queue, steps_total,
                      triggered_by, created_at, finished_at)
                 values ('ffffffff-0000-7000-8000-000000000000', gen_random_uuid(), 'w', 1,
                         'completed', 'default', 0, 'test', now(), now())",
            )
            .await;
        reaches(&app.api, "stepwell_default_partitions_used", 1.0).await;
        let ready = app.api.get("/health/ready").await.of(200).body;
        let warning = ready["warnings"][0].as_str().unwrap();
        assert!(warning.contains("stepwell.run_default"), "{ready}");
        // The upkeep says it too: every ten minutes, and when a process starts.
        app.spawn("api", &["api", "--port", "0"]);
        let line = app.processes[1]
            .said("rows are in a default partition")
            .await;
        assert!(
            line.contains("run_default") && line.contains("ERROR"),
            "{line}"
        );
        app.database.run("delete from stepwell.run_default").await;
    })
    .await;
}

#[tokio::test]
async fn without_a_database_the_process_still_tells_of_itself() {
    let mut server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::on(&server).await;
    let mut app = App::on(database, &[("STEPWELL_DATABASE_ACQUIRE_TIMEOUT_MS", "500")]);
    app.up().await;
    app.api.workflow("w", one_step()).await;
    app.api.execute("w", json!({})).await;
    server.kill();
    reaches(&app.api, "stepwell_database_up", 0.0).await;
    let done = "stepwell_runs_finished_total{status=\"completed\"}";
    assert_eq!(value(&app.api, done).await, Some(1.0));
    assert_eq!(
        value(&app.api, "stepwell_workers{status=\"alive\"}").await,
        None
    );
    server.launch();
    reaches(&app.api, "stepwell_database_up", 1.0).await;
    app.finish().await;
}

#[tokio::test]
async fn a_worker_can_be_watched_to_its_end() {
    let mut app = App::separate(0, &[]).await;
    let port = port::free();
    let listen = format!("127.0.0.1:{port}");
    app.spawn("worker", &["worker", "--health-listen", &listen]);
    app.processes[1].said("is working").await;
    let agent = crate::harness::Agent::start().await;
    agent.on("/slow", |_| crate::harness::Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]);
    app.api.workflow("slow", steps).await;
    let run = app.api.start("slow", json!({})).await;
    agent.called("/slow", 1).await;
    let worker = Client::new(port);
    worker.get("/health/live").await.of(200);
    worker.get("/health").await.of(200);
    worker.get("/version").await.of(200);
    assert_eq!(
        worker.get("/health/ready").await.of(200).body["status"],
        "ready"
    );
    assert_eq!(value(&worker, "stepwell_runs_active").await, Some(1.0));
    assert_eq!(
        value(&app.api, "stepwell_runs_active").await,
        None,
        "the API has no worker"
    );
    worker.get("/api/v1/runs").await.problem(404);
    // While it drains it is alive and not ready.
    app.processes[1].signal(nix::sys::signal::Signal::SIGTERM);
    until("it is not ready any more", PATIENCE, async || {
        let ready = worker.get("/health/ready").await;
        (ready.status == 503 && ready.body["shutting_down"] == true).then_some(())
    })
    .await;
    worker.get("/health/live").await.of(200);
    agent.release("/slow");
    assert_eq!(
        app.processes[1].exit().await.code(),
        Some(0),
        "{}",
        app.processes[1].log()
    );
    assert_eq!(app.api.run(&run).await["status"], "completed");
    app.finish().await;
}
