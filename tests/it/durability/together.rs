//! Several APIs and several workers on one database.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::{Agent, App, Client, Reply, app, port};

#[tokio::test]
async fn two_apis_and_three_workers_share_the_work() {
    let mut app = App::separate(3, &[]).await;
    let second_port = port::free();
    let number = second_port.to_string();
    app.spawn("api2", &["api", "--port", &number]);
    let second = Client::new(second_port);
    app::ready(&second, &mut app.processes).await;
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
    app.api.workflow("w", steps).await;
    let mut runs = Vec::new();
    for n in 0..60 {
        let api = if n % 2 == 0 { &app.api } else { &second };
        runs.push(api.start("w", json!({})).await);
    }
    agent.called("/a", 60).await;
    agent.release("/a");
    for (n, run) in runs.iter().enumerate() {
        let api = if n % 2 == 0 { &second } else { &app.api };
        assert_eq!(api.finished(run).await["status"], "completed");
    }
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for call in agent.calls("/a") {
        *calls
            .entry(call.body["run_id"].as_str().unwrap().to_owned())
            .or_default() += 1;
    }
    assert_eq!(calls.len(), 60);
    assert!(calls.values().all(|count| *count == 1), "{calls:?}");
    app.finish().await;
}

#[tokio::test]
async fn a_change_of_an_agent_is_seen_by_workers_elsewhere() {
    let app = App::separate(1, &[]).await;
    let agent = Agent::start().await;
    let id = app.api.agent("a", &agent.url("/old")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
    app.api.workflow("w", steps).await;
    app.api.execute("w", json!({})).await;
    assert_eq!(agent.calls("/old").len(), 1);
    let body = json!({"name": "a", "url": agent.url("/new")});
    app.api.put(&format!("agents/{id}"), body).await.of(200);
    crate::harness::until(
        "the new address is called",
        crate::harness::PATIENCE,
        async || {
            app.api.execute("w", json!({})).await;
            (!agent.calls("/new").is_empty()).then_some(())
        },
    )
    .await;
    app.finish().await;
}

#[tokio::test]
async fn waiting_for_the_end_works_across_processes() {
    let app = App::separate(1, &[]).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    for _ in 0..10 {
        let answer = app
            .api
            .post("workflows/w/execute?wait_ms=30000", json!({}))
            .await
            .of(200);
        assert_eq!(answer.body["status"], "completed");
    }
    app.finish().await;
}
