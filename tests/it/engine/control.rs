//! Pause, resume, priority, queues.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

#[tokio::test]
async fn a_paused_run_starts_nothing_until_it_is_resumed() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/one", |_| Reply::held());
        app.api.agent("one", &agent.url("/one")).await;
        app.api.agent("two", &agent.url("/two")).await;
        let steps = json!([{"name": "one", "type": "agent", "config": {"agent": "one"}},
            {"name": "two", "type": "agent", "config": {"agent": "two"}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/one", 1).await;
        app.api
            .post(&format!("runs/{run}/pause"), json!({}))
            .await
            .of(202);
        app.api.audit_says(&run, "run.paused", "").await;
        agent.release("/one");
        let paused = app.api.reaches(&run, "paused").await;
        app.api.audit_says(&run, "step.completed", "one").await;
        assert_eq!(
            app.api.reaches(&run, "paused").await["blocked_on"]["kind"],
            "paused",
            "{paused}"
        );
        assert_eq!(agent.calls("/two").len(), 0);
        app.api
            .post(&format!("runs/{run}/resume"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "completed");
        assert_eq!(
            (agent.calls("/one").len(), agent.calls("/two").len()),
            (1, 1)
        );
    })
    .await;
}

#[tokio::test]
async fn a_paused_run_can_be_cancelled() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "d", "type": "delay", "config": {"duration": 600}}]),
            )
            .await;
        let run = app.api.start("w", json!({})).await;
        app.api.reaches(&run, "waiting").await;
        app.api
            .post(&format!("runs/{run}/pause"), json!({}))
            .await
            .of(202);
        app.api.reaches(&run, "paused").await;
        app.api
            .post(&format!("runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_delay_that_ends_while_paused_is_over_after_resume() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "d", "type": "delay", "config": {"duration": 1}}]),
            )
            .await;
        let run = app.api.start("w", json!({})).await;
        app.api
            .post(&format!("runs/{run}/pause"), json!({}))
            .await
            .of(202);
        app.api.reaches(&run, "paused").await;
        app.api
            .post(&format!("runs/{run}/resume"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

/// Runs come in before there is a worker, and one that holds one run at a time takes them.
async fn order_of(app: &mut App, runs: &[(&str, Value)]) -> Vec<String> {
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/a")).await;
    let steps =
        json!([{"name": "s", "type": "agent", "config": {"agent": "a", "input": "${input}"}}]);
    app.api.workflow("w", steps).await;
    let mut ids = Vec::new();
    for (name, options) in runs {
        let mut body = options.clone();
        body["input"] = json!(name);
        ids.push(app.api.start_with("w", body).await);
    }
    app.spawn(
        "worker",
        &[
            "worker",
            "--concurrency",
            "1",
            "--queue",
            "first",
            "--queue",
            "default",
        ],
    );
    for id in &ids {
        app.api.finished(id).await;
    }
    agent
        .calls("/a")
        .iter()
        .map(|call| call.body["input"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn the_highest_priority_is_next_then_the_oldest() {
    let mut app = App::separate(0, &[]).await;
    let runs = [
        ("a", json!({})),
        ("low", json!({"priority": -100})),
        ("b", json!({})),
        ("high", json!({"priority": 100})),
        ("c", json!({})),
    ];
    let order = order_of(&mut app, &runs).await;
    assert_eq!(order, ["high", "a", "b", "c", "low"]);
    app.finish().await;
}

#[tokio::test]
async fn a_worker_takes_only_from_its_queues() {
    let mut app = App::separate(0, &[]).await;
    app.api
        .workflow(
            "x",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    let other = app.api.start_with("x", json!({"queue": "other"})).await;
    let runs = [
        ("a", json!({"queue": "first"})),
        ("b", json!({"queue": "default"})),
    ];
    let order = order_of(&mut app, &runs).await;
    assert_eq!(order.len(), 2, "{order:?}");
    assert_eq!(app.api.run(&other).await["status"], "pending");
    app.spawn("other", &["worker", "--queue", "other"]);
    assert_eq!(app.api.finished(&other).await["status"], "completed");
    app.finish().await;
}
