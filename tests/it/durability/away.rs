//! The database goes away and comes back.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Agent, App, Database, PATIENCE, Reply, Server, until};

/// An app on a server of its own, migrated by its first process.
pub(crate) async fn own_server(workers: usize) -> (Server, App) {
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let database = Database::on(&server).await;
    let mut app = App::on(
        database,
        &[("STEPWELL_DATABASE_ACQUIRE_TIMEOUT_MS", "1000")],
    );
    let migrate = app.spawn("migrate", &["migrate", "up"]);
    assert_eq!(
        app.processes[migrate].exit().await.code(),
        Some(0),
        "{}",
        app.processes[migrate].log()
    );
    app.processes.clear();
    app.api().await;
    for _ in 0..workers {
        app.worker();
    }
    (server, app)
}

async fn with_agent(app: &App) -> Agent {
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "one", "type": "agent", "config": {"agent": "a"}},
        {"name": "two", "type": "transform", "config": {"value": "${steps.one.output}"}}]);
    app.api.workflow("w", steps).await;
    agent
}

#[tokio::test]
async fn acknowledged_runs_survive_kill_9_of_postgres_and_workers_go_on_by_themselves() {
    let (mut server, mut app) = own_server(2).await;
    let agent = with_agent(&app).await;
    // Some are over, some in flight, some waiting, some not begun.
    for _ in 0..5 {
        app.api.execute("w", json!({})).await;
    }
    agent.on("/a", |_| Reply::held());
    let mut runs = Vec::new();
    for _ in 0..10 {
        runs.push(app.api.start("w", json!({})).await);
    }
    agent.called("/a", 15).await;
    let later = app
        .api
        .start_with("w", json!({"queue": "nobody-listens"}))
        .await;
    let batch: Vec<_> = (0..50).map(|_| json!({"workflow": "w"})).collect();
    let batch = app
        .api
        .post("runs/batch", json!({"runs": batch}))
        .await
        .of(202);
    server.kill();
    agent.release("/a");
    let away = app.api.get("/health").await;
    assert_eq!(
        (away.status, &away.body["database"]),
        (503, &json!("disconnected")),
        "{}",
        away.raw
    );
    assert_eq!(app.api.get("/health/live").await.status, 200);
    server.launch();
    for item in batch.body["items"].as_array().unwrap() {
        runs.push(item["id"].as_str().unwrap().to_owned());
    }
    for run in &runs {
        let done = app.api.finished(run).await;
        assert_eq!(done["status"], "completed", "{done}");
    }
    assert_eq!(app.api.run(&later).await["status"], "pending");
    for process in &mut app.processes {
        assert!(
            process.ended().is_none(),
            "{} did not live through it: {}",
            process.name,
            process.log()
        );
    }
    app.finish().await;
}

#[tokio::test]
async fn without_a_database_the_api_answers_503_with_retry_after() {
    let (mut server, app) = own_server(0).await;
    let agent = with_agent(&app).await;
    let run = app.api.start("w", json!({})).await;
    server.kill();
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    for (path, body) in [
        ("workflows/w/execute", json!({})),
        ("runs", json!({"workflow": "w"})),
        ("runs/batch", json!({"runs": [{"workflow": "w"}]})),
        ("agents", json!({"name": "b", "url": "http://127.0.0.1:9/"})),
        ("workflows", json!({"id": "v", "name": "v", "steps": steps})),
        (&*format!("runs/{run}/cancel"), json!({})),
    ] {
        let answer = app.api.post(path, body).await.problem(503);
        assert!(
            answer.header("retry-after").parse::<u64>().is_ok(),
            "{path}: {answer:?}"
        );
    }
    for path in ["runs", "agents", "workflows", &format!("runs/{run}")] {
        app.api.get(path).await.problem(503);
    }
    assert_eq!(app.api.get("/health/ready").await.status, 503);
    server.launch();
    until("the API is back", PATIENCE, async || {
        (app.api.get("/health/ready").await.status == 200).then_some(())
    })
    .await;
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    app.api.finished(&run).await;
    assert_eq!(agent.all().len(), 0);
    app.finish().await;
}

#[tokio::test]
async fn a_503_with_an_idempotency_key_can_be_asked_again() {
    let (mut server, app) = own_server(1).await;
    with_agent(&app).await;
    let mut outcomes: Vec<(String, Value)> = Vec::new();
    let headers = |key: &str| [("idempotency-key".to_owned(), key.to_owned())];
    let post = async |key: String| {
        let [(name, value)] = headers(&key);
        app.api
            .post_with("runs", &[(&name, &value)], json!({"workflow": "w"}))
            .await
    };
    // A stream of requests, in the middle of which the server is killed.
    for number in 0..40 {
        if number == 20 {
            server.kill();
        }
        let key = format!("key-{number}");
        let answer = post(key.clone()).await;
        assert!([202, 503].contains(&answer.status), "{}", answer.raw);
        if number == 22 {
            server.launch();
        }
        outcomes.push((key, answer.body));
    }
    for (key, first) in &outcomes {
        let again = until("the database is back", PATIENCE, async || {
            let answer = post(key.clone()).await;
            (answer.status == 202).then_some(answer)
        })
        .await;
        if first["id"].is_string() {
            assert_eq!(
                again.body["id"], first["id"],
                "the acknowledged run is the one"
            );
            assert_eq!(again.header("idempotency-replayed"), "true");
        }
    }
    assert_eq!(
        app.database
            .number("select count(*) from stepwell.run")
            .await,
        40
    );
    for run in app.api.get("runs?limit=200").await.body["items"]
        .as_array()
        .unwrap()
    {
        app.api.finished(run["id"].as_str().unwrap()).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn broken_connections_hurt_nobody() {
    let (_server, app) = own_server(1).await;
    let agent = with_agent(&app).await;
    let mut runs = Vec::new();
    for round in 0..8 {
        for _ in 0..5 {
            // A connection that breaks under a request leaves open whether it was heard: the same
            // key may ask again.
            let key = format!("key-{}", runs.len());
            let accepted = until("the run is accepted", PATIENCE, async || {
                let headers = [("idempotency-key", key.as_str())];
                let answer = app
                    .api
                    .post_with("runs", &headers, json!({"workflow": "w"}))
                    .await;
                assert!([202, 503].contains(&answer.status), "{}", answer.raw);
                (answer.status == 202).then_some(answer)
            })
            .await;
            runs.push(accepted.text("/id"));
        }
        agent.called("/a", round * 5 + 1).await;
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()
                      and application_name not like 'test%'";
        app.database.number(cut).await;
        until("the API is back", PATIENCE, async || {
            (app.api.get("/health").await.status == 200).then_some(())
        })
        .await;
    }
    assert_eq!(
        app.database
            .number("select count(*) from stepwell.run")
            .await,
        40
    );
    for run in &runs {
        let run = app.api.finished_within(run, Duration::from_secs(60)).await;
        assert_eq!(run["status"], "completed");
    }
    app.finish().await;
}
