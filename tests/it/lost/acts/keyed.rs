//! Runs that share a concurrency key.

use serde_json::json;

use super::{Stage, call, wait};
use crate::harness::{PATIENCE, until};

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    api.agent("work", &stage.agent.url("/work")).await;
    let limited = |on_limit: &str| json!({"concurrency": {"key": "input.customer", "limit": 1, "on_limit": on_limit}});
    api.workflow_with("in_turn", json!([call("a", "work")]), limited("queue"))
        .await;
    api.workflow_with("newest", wait(), limited("cancel_running"))
        .await;
    api.workflow_with("refuses", wait(), limited("reject"))
        .await;
}

/// They wait for each other.
pub(super) async fn queue(stage: &Stage) {
    let mut runs = Vec::new();
    for n in 0..6 {
        let customer = if n % 2 == 0 { "ann" } else { "bob" };
        runs.push(
            stage
                .starts("in_turn", json!({"input": {"customer": customer}}))
                .await,
        );
    }
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
}

/// The last one is let in, and the others make room.
pub(super) async fn replace(stage: &Stage) {
    let ann = json!({"input": {"customer": "ann"}});
    let mut runs = Vec::new();
    for _ in 0..3 {
        let run = stage.starts("newest", ann.clone()).await;
        if runs.is_empty() {
            until("the first waits for its signal", PATIENCE, async || {
                (stage.app.api.run(&run).await["status"] == "waiting").then_some(())
            })
            .await;
        }
        runs.push(run);
    }
    let last = runs.pop().unwrap();
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "cancelled");
    }
    stage
        .posts(&format!("runs/{last}/signals/go"), json!({}))
        .await;
    assert_eq!(stage.ends(&last).await["status"], "completed");
}

/// What an API does about places.
pub(super) async fn ask(stage: &Stage) {
    let customer = |name: &str| json!({"input": {"customer": name}});
    let order = json!({"workflow": "in_turn", "input": {"customer": "bob"}});
    let first = stage.starts("refuses", customer("ann")).await;
    let full = stage
        .app
        .api
        .post("workflows/refuses/execute", customer("ann"))
        .await;
    assert_eq!(full.status, 409, "{}", full.raw);
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(stage.starts("in_turn", customer("ann")).await);
    }
    let batch = json!({"runs": [order, {"workflow": "refuses", "input": {"customer": "cid"}}]});
    stage.posts("runs/batch", batch).await;
    let waiting = stage.starts("refuses", customer("dan")).await;
    stage
        .posts(&format!("runs/{waiting}/cancel"), json!({}))
        .await;
    stage.ends(&waiting).await;
    stage
        .posts(&format!("runs/{first}/signals/go"), json!({}))
        .await;
    stage.ends(&first).await;
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
    stage.posts("runs/cancel", json!({"filter": {"workflow_id": "refuses", "status": ["pending", "running", "waiting"]}})).await;
}
