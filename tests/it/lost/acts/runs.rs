//! Runs from their start to their end, and what is done to them meanwhile.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, call, transform, wait};
use crate::harness::PATIENCE;
use crate::harness::until;

/// Enough for rows to be copied.
const ITEMS: usize = 600;

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    api.agent("work", &stage.agent.url("/work")).await;
    api.workflow("quick", json!([transform("s")])).await;
    api.workflow("wait", wait()).await;
    let chain = json!([call("a", "work"), {"name": "d", "type": "delay", "config": {"duration": 0.3}},
        call("b", "work"), transform("c")]);
    api.workflow("chain", chain).await;
    let item = json!({"type": "transform", "config": {"value": "${item}"}});
    let map = json!([{"name": "m", "type": "map", "config": {"items": "${input}", "step": item}}]);
    api.workflow("map", map).await;
    let slow = json!([transform("a"), {"name": "s", "type": "wait", "config": {"signal": "go", "timeout_ms": 200}},
        transform("b")]);
    api.workflow("late", slow).await;
}

async fn completes(stage: &Stage, run: &str) -> Value {
    let done = stage.ends(run).await;
    assert_eq!(done["status"], "completed", "{done}");
    done
}

/// Steps, a timer, a signal.
pub(super) async fn run(stage: &Stage) {
    let chains = [
        stage.starts("chain", json!({})).await,
        stage.starts("chain", json!({})).await,
    ];
    let waits = stage.starts("wait", json!({})).await;
    let late = stage.starts("late", json!({})).await;
    until("it waits", PATIENCE, async || {
        let run = stage.app.api.run(&waits).await;
        (run["status"] == "waiting").then_some(())
    })
    .await;
    stage.posts(&format!("runs/{waits}/pause"), json!({})).await;
    stage
        .posts(&format!("runs/{waits}/resume"), json!({}))
        .await;
    stage
        .posts(&format!("runs/{waits}/signals/go"), json!({}))
        .await;
    completes(stage, &waits).await;
    for run in &chains {
        completes(stage, run).await;
    }
    assert_eq!(stage.ends(&late).await["status"], "failed");
}

/// So many rows in one commit that they are copied.
pub(super) async fn large(stage: &Stage) {
    let items: Vec<usize> = (0..ITEMS).collect();
    let run = stage.starts("map", json!({"input": items})).await;
    assert_eq!(completes(stage, &run).await["output"], json!(items));
}

/// Each way to start runs.
pub(super) async fn start(stage: &Stage) {
    let hook = stage.agent.url("/told");
    let waits = stage.starts("wait", json!({"dedupe_key": "d0"})).await;
    let body = json!({"dedupe_key": "d0"});
    let refused = stage
        .api
        .request(Method::POST, "workflows/wait/execute")
        .json(&body)
        .send()
        .await;
    if let Ok(refused) = refused {
        assert!(
            matches!(refused.status().as_u16(), 409 | 503),
            "{refused:?}"
        );
    }
    stage
        .posts(&format!("runs/{waits}/signals/go"), json!({}))
        .await;
    stage.ends(&waits).await;
    let plain = stage
        .posts("workflows/quick/execute", json!({}))
        .await
        .text("/id");
    let once = stage.starts("quick", json!({"dedupe_key": "d1"})).await;
    let told = stage.starts("quick", json!({"callback_url": hook})).await;
    let order = |key: &str| json!({"workflow": "quick", "dedupe_key": key, "callback_url": hook});
    let batch = json!({"runs": [order("b1"), order("b2"), {"workflow": "quick"}]});
    let path = "runs/batch";
    let answer = stage
        .asks_as(Some("batch"), Method::POST, path, batch)
        .await;
    let ids = answer.each("id");
    let ids: Vec<_> = ids.iter().map(|id| id.as_str().unwrap()).collect();
    for run in ids.into_iter().chain([plain.as_str(), &once, &told]) {
        completes(stage, run).await;
    }
    let runs = "select count(*) from stepwell.run where labels is null or labels = '{}'";
    let runs = stage.app.database.number(runs).await;
    // Only what was asked for without a key may be there twice.
    assert!(runs >= 6, "{runs} runs");
    let keyed = "select count(*) from stepwell.run r join stepwell.callback c on c.run_id = r.id";
    assert!(stage.app.database.number(keyed).await <= 3);
}

/// Words to runs that are not over.
pub(super) async fn change(stage: &Stage) {
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(stage.starts("wait", json!({})).await);
    }
    for run in &runs {
        stage.app.api.reaches(run, "waiting").await;
    }
    let [one, two, three] = runs.as_slice() else {
        unreachable!("three were started");
    };
    stage.posts(&format!("runs/{one}/pause"), json!({})).await;
    stage.posts(&format!("runs/{one}/resume"), json!({})).await;
    stage
        .posts(&format!("runs/{one}/signals/go"), json!({}))
        .await;
    stage.posts(&format!("runs/{two}/cancel"), json!({})).await;
    stage.posts("runs/cancel", json!({"ids": [three]})).await;
    completes(stage, one).await;
    for run in [two, three] {
        assert_eq!(stage.ends(run).await["status"], "cancelled");
    }
    // No driver ever has this one.
    let unbegun = stage.starts("wait", json!({"queue": "nobody"})).await;
    stage
        .posts(&format!("runs/{unbegun}/cancel"), json!({}))
        .await;
    assert_eq!(stage.ends(&unbegun).await["status"], "cancelled");
}

/// What is done to runs that are over.
pub(super) async fn again(stage: &Stage) {
    let late = stage.starts("late", json!({})).await;
    stage.ends(&late).await;
    stage.posts(&format!("runs/{late}/retry"), json!({})).await;
    stage.ends(&late).await;
    stage.posts("runs/retry", json!({"ids": [late]})).await;
    stage.ends(&late).await;
    let body = json!({"from_step": "s"});
    let path = format!("runs/{late}/fork");
    let fork = stage
        .asks_as(Some("fork"), Method::POST, &path, body)
        .await
        .text("/id");
    stage.ends(&fork).await;
    let path = format!("runs/{late}/appeal");
    let body = json!({"reason": "It was 60.", "input": {"n": 1}});
    let appeal = stage
        .asks_as(Some("appeal"), Method::POST, &path, body)
        .await
        .text("/run_id");
    stage.ends(&appeal).await;
    let item = json!([1, 2, 3]);
    let map = stage.starts("map", json!({"input": item})).await;
    completes(stage, &map).await;
    stage
        .asks(Method::GET, &format!("runs/{map}/report"), Value::Null)
        .await;
    let runs = "select count(*) from stepwell.run where workflow_name in ('late', 'map')";
    assert_eq!(stage.app.database.number(runs).await, 4);
}
