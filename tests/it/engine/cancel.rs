//! Cancelling what is in flight.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Agent, App, Reply, with_app};

/// From the answer to the request until the agent sees that it was hung up on.
const WITHIN: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_slow_call_is_aborted_within_a_second() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        app.api.agent("slow", &agent.url("/slow")).await;
        let steps = json!([{"name": "slow", "type": "agent", "config": {"agent": "slow"}},
            {"name": "next", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/slow", 1).await;
        let asked = Instant::now();
        app.api
            .post(&format!("runs/{run}/cancel"), json!({"reason": "enough"}))
            .await
            .of(202);
        agent.aborted("/slow", 1).await;
        assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
        assert_eq!(app.api.finished(&run).await["status"], "cancelled");
        assert_eq!(
            app.api.statuses(&run).await,
            ["slow=cancelled", "next=skipped"]
        );
        let trail = app.api.audit(&run).await;
        let asked = trail
            .iter()
            .find(|r| r["action"] == "run.cancelled")
            .expect("a record");
        assert_eq!(asked["actor"], "anonymous", "{asked}");
        assert!(asked["request_id"].is_string(), "{asked}");
    })
    .await;
}

#[tokio::test]
async fn another_process_is_told_too_and_the_agent_hears_of_it() {
    let app = App::separate(2, &[]).await;
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::Never);
    app.api
        .agent_with("slow", &agent.url("/slow"), json!({"cancel": true}))
        .await;
    app.api
        .workflow(
            "w",
            json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]),
        )
        .await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/slow", 1).await;
    let asked = Instant::now();
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    agent.aborted("/slow", 1).await;
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    let told = agent.called(&format!("/slow/runs/{run}"), 1).await;
    assert_eq!(told.method, "DELETE");
    app.finish().await;
}

#[tokio::test]
async fn without_notify_it_is_aborted_within_a_second_too() {
    let app = App::separate(1, &[("STEPWELL_DATABASE_LISTEN", "false")]).await;
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::Never);
    app.api.agent("slow", &agent.url("/slow")).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]),
        )
        .await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/slow", 1).await;
    let asked = Instant::now();
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    agent.aborted("/slow", 1).await;
    assert!(asked.elapsed() < WITHIN, "{:?}", asked.elapsed());
    app.api.finished(&run).await;
    app.finish().await;
}

#[tokio::test]
async fn a_delay_and_a_wait_and_a_backoff_are_cancelled() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/bad", |_| Reply::Json(500, json!({})));
        app.api.agent("bad", &agent.url("/bad")).await;
        let retry =
            json!({"max_attempts": 2, "initial_interval_ms": 600_000, "max_interval_ms": 600_000});
        for (name, step) in [
            (
                "delay",
                json!({"type": "delay", "config": {"duration": 600}}),
            ),
            ("wait", json!({"type": "wait", "config": {"signal": "go"}})),
            (
                "backoff",
                json!({"type": "agent", "config": {"agent": "bad"}, "retry": retry}),
            ),
        ] {
            let mut step = step;
            step["name"] = json!("s");
            app.api.workflow(name, json!([step])).await;
            let run = app.api.start(name, json!({})).await;
            app.api.reaches(&run, "waiting").await;
            app.api
                .post(&format!("runs/{run}/cancel"), json!({}))
                .await
                .of(202);
            assert_eq!(
                app.api.finished(&run).await["status"],
                "cancelled",
                "{name}"
            );
            assert_eq!(app.api.statuses(&run).await, ["s=cancelled"], "{name}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_map_in_flight_is_cancelled() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        app.api.agent("slow", &agent.url("/slow")).await;
        let step = json!({"type": "agent", "config": {"agent": "slow"}});
        let map = json!({"items": "${input}", "max_parallel": 4, "step": step});
        app.api
            .workflow("w", json!([{"name": "m", "type": "map", "config": map}]))
            .await;
        let run = app
            .api
            .start("w", json!((0..100).collect::<Vec<_>>()))
            .await;
        agent.called("/slow", 4).await;
        app.api
            .post(&format!("runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "cancelled");
        for number in 1..=4 {
            agent.aborted("/slow", number).await;
        }
        assert_eq!(agent.calls("/slow").len(), 4);
    })
    .await;
}
