//! Work that is done elsewhere: by children, by workers of another queue, by clients.

use serde_json::{Value, json};

use super::{Stage, call, transform};
use crate::detached::callback;
use crate::harness::{PATIENCE, Reply, until};

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    api.agent("work", &stage.agent.url("/work")).await;
    stage
        .agent
        .on("/slow", |_| Reply::Json(202, json!({"callback": true})));
    api.agent("slow", &stage.agent.url("/slow")).await;
    api.workflow("child", json!([call("a", "work")])).await;
    let child =
        json!({"name": "c", "type": "workflow", "config": {"workflow": "child", "input": {}}});
    api.workflow("parent", json!([child, transform("after")]))
        .await;
    let mut on_gpu = call("g", "work");
    on_gpu["queue"] = json!("gpu");
    let item = json!({"type": "agent", "config": {"agent": "work", "input": "${item}"}});
    let map = json!({"name": "m", "type": "map", "needs": ["g"], "config": {"items": "[1, 2, 3, 4, 5, 6]",
        "step": item, "distribute": true}});
    api.workflow("spread", json!([on_gpu, map])).await;
    let print =
        json!({"name": "print", "type": "external", "config": {"topic": "press", "input": {}}});
    api.workflow("print", json!([print])).await;
    let mut late = print.clone();
    late["timeout_ms"] = json!(500);
    late["config"]["topic"] = json!("nobody");
    late["retry"] = json!({"max_attempts": 2, "initial_interval_ms": 10});
    api.workflow("print_late", json!([late])).await;
    let mut once = print;
    once["delivery"] = json!("at_most_once");
    api.workflow("print_once", json!([once])).await;
    api.workflow("slow", json!([call("score", "slow")])).await;
}

/// Runs that start runs and wait for them.
pub(super) async fn children(stage: &Stage) {
    let runs = [
        stage.starts("parent", json!({})).await,
        stage.starts("parent", json!({})).await,
    ];
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
    let all = stage
        .app
        .database
        .number("select count(*) from stepwell.run where workflow_name in ('parent', 'child')")
        .await;
    assert_eq!(all, 4, "a child for each");
}

/// Attempts that any worker makes, and such that a client makes or loses.
pub(super) async fn put_up(stage: &Stage) {
    let spread = stage.starts("spread", json!({})).await;
    let print = stage.starts("print", json!({})).await;
    let once = stage.starts("print_once", json!({})).await;
    let late = stage.starts("print_late", json!({})).await;
    let recalled = stage.starts("slow", json!({})).await;
    callback(&stage.agent, "/slow", 1).await;
    stage
        .posts(&format!("runs/{recalled}/cancel"), json!({}))
        .await;
    assert_eq!(stage.ends(&recalled).await["status"], "cancelled");
    let mut leased = Vec::new();
    until("both are given out", PATIENCE, async || {
        leased.extend(polled(stage, 1_000).await);
        (leased.len() >= 2).then_some(())
    })
    .await;
    assert_eq!(stage.ends(&once).await["error"]["type"], "lost");
    assert_eq!(stage.ends(&late).await["status"], "failed");
    let again = until("its lease is over", PATIENCE, async || {
        polled(stage, 60_000).await.pop()
    })
    .await;
    stage
        .posts(&at(&again, "complete"), json!({"output": 1}))
        .await;
    for run in [&spread, &print] {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
}

async fn polled(stage: &Stage, lease_ms: u64) -> Vec<Value> {
    let ask = json!({"max": 10, "worker": "press-1", "lease_ms": lease_ms});
    let answer = stage.posts("/api/v1/external/press/poll", ask).await;
    answer.body["items"].as_array().unwrap().clone()
}

fn at(item: &Value, verb: &str) -> String {
    format!(
        "/api/v1/external/{}/{verb}",
        item["token"].as_str().unwrap()
    )
}

/// A client that takes work, holds it, and reports.
pub(super) async fn poll(stage: &Stage) {
    let runs = [
        stage.starts("print", json!({})).await,
        stage.starts("print", json!({})).await,
    ];
    let mut done = 0;
    // A lease whose answer was lost comes to its end first.
    until("both are made", PATIENCE, async || {
        for item in polled(stage, 2_000).await {
            done += 1;
            stage
                .posts(&at(&item, "heartbeat"), json!({"lease_ms": 60_000}))
                .await;
            let token = item["token"].as_str().unwrap();
            let lines = json!({"lines": [{"message": "half way"}]});
            stage
                .posts(&format!("/api/v1/callbacks/{token}/logs"), lines)
                .await;
            let (verb, body) = match done {
                1 => ("fail", json!({"error": "jammed", "retryable": false})),
                _ => ("complete", json!({"output": 1})),
            };
            stage.posts(&at(&item, verb), body).await;
        }
        (done >= 2).then_some(())
    })
    .await;
    for run in &runs {
        stage.ends(run).await;
    }
}

/// An agent that answers later.
pub(super) async fn call_back(stage: &Stage) {
    let run = stage.starts("slow", json!({})).await;
    let path = callback(&stage.agent, "/slow", 1).await;
    let lines = json!({"lines": [{"message": "scored"}]});
    stage.posts(&format!("{path}/logs"), lines).await;
    let result =
        json!({"status": "completed", "output": {"score": 0.9}, "logs": [{"message": "done"}]});
    stage.posts(&path, result).await;
    let done = stage.ends(&run).await;
    assert_eq!(
        (&done["status"], &done["output"]),
        (&json!("completed"), &json!({"score": 0.9})),
        "{done}"
    );
}
