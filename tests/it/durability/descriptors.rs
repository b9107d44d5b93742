//! A process has few descriptors, or none for a while: no run fails by it, and the worker goes on saying that it lives.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{Agent, App, Client, PATIENCE, Process, Reply, port, until};

/// What the worker may have at most.
const FEW: u32 = 256;
const RUNS: usize = 1_000;
const HEARTBEAT: Duration = Duration::from_millis(1_000);
const SETTINGS: &[(&str, &str)] = &[("STEPWELL_WORKER_HEARTBEAT_MS", "1000")];

/// Starts a worker with few descriptors; returns a client of what watches it, and where that listens.
async fn worker(app: &mut App) -> (Client, u16) {
    let port = port::free();
    let listen = format!("127.0.0.1:{port}");
    let arguments = ["worker", "--name", "few", "--health-listen", &listen];
    let variables = app.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let process = Process::spawn_with_descriptors(FEW, "few", &arguments, &variables);
    process.said("is working").await;
    app.processes.push(process);
    (Client::new(port), port)
}

async fn start(app: &App, count: usize) {
    for _ in 0..count / 100 {
        let runs: Vec<_> = (0..100).map(|_| json!({"workflow": "w"})).collect();
        app.api.post("runs/batch", json!({ "runs": runs })).await;
    }
}

async fn count(app: &App, what: &str) -> usize {
    let sql = format!("select count(*) from {what}");
    usize::try_from(app.database.number(&sql).await).unwrap()
}

/// No attempt was given up, and none was made twice.
async fn none_failed(app: &App, runs: usize) {
    let completed = "stepwell.run where status = 'completed'";
    assert_eq!(count(app, completed).await, runs);
    let again = "stepwell.audit where action in ('step.retrying', 'step.failed')";
    assert_eq!(count(app, again).await, 0);
    assert_eq!(count(app, "stepwell.step where attempt > 1").await, 0);
}

#[tokio::test]
async fn a_thousand_calls_with_few_descriptors_all_come_through() {
    let mut app = App::separate(0, SETTINGS).await;
    worker(&mut app).await;
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]);
    app.api.workflow("w", steps).await;
    start(&app, RUNS).await;
    // As many as there are sockets are under way; the others wait and rest.
    agent.called("/slow", 50).await;
    let deferred = "stepwell.audit where action = 'step.deferred'";
    until("calls are put off", PATIENCE, async || {
        (count(&app, deferred).await > 0).then_some(())
    })
    .await;
    let mut longest = 0;
    until("all runs are over", PATIENCE, async || {
        agent.release("/slow");
        let silent = app
            .database
            .number("select (extract(epoch from now() - seen_at) * 1000)::bigint from stepwell.v_workers")
            .await;
        longest = longest.max(silent);
        (count(&app, "stepwell.job").await == 0).then_some(())
    })
    .await;
    none_failed(&app, RUNS).await;
    assert_eq!(agent.calls("/slow").len(), RUNS);
    let most = i64::try_from(2 * HEARTBEAT.as_millis()).unwrap();
    assert!(longest <= most, "silent for {longest} ms");
    app.finish().await;
}

#[tokio::test]
async fn calls_that_find_no_descriptor_wait_until_there_are_some() {
    let mut app = App::separate(0, SETTINGS).await;
    let (probes, port) = worker(&mut app).await;
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
    app.api.workflow("w", steps).await;
    // So that its connections are there.
    app.api.execute("w", json!({})).await;
    // Others take all that it has: it accepts them as long as it can.
    let mut taken = Vec::new();
    for _ in 0..FEW {
        taken.push(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
    }
    agent.on("/a", |_| {
        Reply::Raw(
            200,
            vec![("connection", "close".to_owned())],
            "1".to_owned(),
        )
    });
    start(&app, 100).await;
    app.processes[1].said("no descriptors left").await;
    drop(taken);
    until("all runs are over", PATIENCE, async || {
        (count(&app, "stepwell.job").await == 0).then_some(())
    })
    .await;
    none_failed(&app, 101).await;
    let warned = probes.read("/health/ready").await.body["warnings"].to_string();
    assert!(
        warned.contains("ran out of its 256 descriptors"),
        "{warned}"
    );
    let measured = probes.get("/metrics").await.of(200).raw;
    assert!(
        measured.contains("stepwell_descriptor_shortages_total"),
        "{measured}"
    );
    assert_eq!(
        count(&app, "stepwell.v_workers where status = 'alive'").await,
        1,
        "it was never held for dead"
    );
    app.finish().await;
}
