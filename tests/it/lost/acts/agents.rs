//! Agents, and how many calls of one there may be at a time.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, call};
use crate::harness::Reply;

const RUNS: usize = 6;

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    stage.agent.on("/flaky", |call| match call.number % 3 {
        0 => Reply::Json(503, json!({})),
        _ => Reply::ok(),
    });
    let one = json!({"max_concurrency": 1});
    api.agent_with("narrow", &stage.agent.url("/flaky"), one)
        .await;
    api.workflow("w", json!([call("a", "narrow"), call("b", "narrow")]))
        .await;
}

/// Each call needs a seat, and there is one.
pub(super) async fn seats(stage: &Stage) {
    let mut runs = Vec::new();
    for _ in 0..RUNS {
        runs.push(stage.starts("w", json!({})).await);
    }
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
}

/// One is made, changed and deleted.
pub(super) async fn change_agents(stage: &Stage) {
    let body = |more: u32| {
        json!({"name": "new", "url": stage.agent.url("/new"), "max_concurrency": more,
            "auth_type": "bearer", "auth_config": {"token": "s3cret"}})
    };
    stage.posts_once("agents", body(2)).await;
    stage.asks(Method::PUT, "agents/new", body(3)).await;
    stage
        .app
        .api
        .workflow("by_new", json!([call("a", "new")]))
        .await;
    let run = stage.starts("by_new", json!({})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
    stage
        .asks(Method::DELETE, "workflows/by_new", Value::Null)
        .await;
    stage.asks(Method::DELETE, "agents/new", Value::Null).await;
    let made = "select count(*) from stepwell.agent where name = 'new'";
    assert_eq!(stage.app.database.number(made).await, 1);
}
