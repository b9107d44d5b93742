//! What operators and authors keep: workflows, keys, queues, records.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, call, transform};

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    api.agent("work", &stage.agent.url("/work")).await;
    api.workflow("quick", json!([transform("s")])).await;
}

pub(super) async fn workflows(stage: &Stage) {
    let body = |name: &str, step: &str| {
        json!({"id": "w", "name": name, "steps": [transform(step), call("by", "work"),
            {"name": "child", "type": "workflow", "config": {"workflow": "quick"}},
            {"name": "first", "type": "workflow", "config": {"workflow": "quick", "version": 1}}]})
    };
    stage.posts("workflows", body("w", "a")).await;
    stage.asks(Method::PUT, "workflows/w", body("w", "b")).await;
    stage
        .asks(Method::PUT, "workflows/w", body("other", "b"))
        .await;
    stage.posts("workflows/w/tasks", transform("c")).await;
    stage
        .asks(
            Method::PUT,
            "workflows/w/tasks/c",
            json!({"type": "transform", "config": {"value": 2}, "name": "c"}),
        )
        .await;
    stage
        .asks(Method::DELETE, "workflows/w/tasks/c", Value::Null)
        .await;
    stage.asks(Method::DELETE, "workflows/w", Value::Null).await;
}

pub(super) async fn keys_and_queues(stage: &Stage) {
    stage
        .posts_once("keys", json!({"name": "ci", "role": "operator"}))
        .await;
    let id = "select id::text from stepwell.api_key where name = 'ci' limit 1";
    let id = stage.app.database.text(id).await.unwrap();
    stage
        .asks(Method::DELETE, &format!("keys/{id}"), Value::Null)
        .await;
    stage
        .asks(Method::PUT, "queues/narrow", json!({"max_running": 2}))
        .await;
    stage.posts("queues/narrow/pause", json!({})).await;
    stage.posts("queues/narrow/resume", json!({})).await;
    let run = stage.starts("quick", json!({"queue": "narrow"})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
}

pub(super) async fn records(stage: &Stage) {
    let record =
        |category: &str| json!({"source": "crm", "category": category, "payload": {"n": 4}});
    stage
        .posts(
            "record-routes",
            json!({"category": "order", "workflow": "quick"}),
        )
        .await;
    stage
        .posts_once(
            "record-routes",
            json!({"category": "lead", "workflow": "quick", "auto": true}),
        )
        .await;
    stage.posts("records", record("order")).await;
    stage.posts_once("records", record("lead")).await;
    let id = "select id::text from stepwell.record where category = 'order' limit 1";
    let id = stage.app.database.text(id).await.unwrap();
    stage
        .posts(&format!("records/{id}/process"), json!({}))
        .await;
    let route = "select id::text from stepwell.record_route where category = 'order'";
    let route = stage.app.database.text(route).await.unwrap();
    stage
        .counts("every run ends", "select count(*) from stepwell.job", 0)
        .await;
    stage
        .asks(
            Method::DELETE,
            &format!("record-routes/{route}"),
            Value::Null,
        )
        .await;
}

/// What there is, as a page of each kind, and one of each.
pub(super) async fn look(stage: &Stage) {
    let run = stage.starts("quick", json!({})).await;
    stage.ends(&run).await;
    for page in [
        "agents",
        "appeals",
        "audit",
        "keys",
        "queues",
        "record-routes",
        "records",
        "runs",
        "schedules",
        "subscriptions",
        "workers",
        "workflows",
        "workflows/quick/versions",
    ] {
        for count in ["?limit=1", "?limit=1&count=true"] {
            let _ = stage.api.get(&format!("{page}{count}")).await;
        }
    }
    for one in [
        "agents/work",
        "workflows/quick",
        "workflows/quick/graph",
        "workflows/quick/versions/1",
        "workflows/quick/tasks",
        "reports/summary",
        "queues/default",
        "/health",
        "/metrics",
        &format!("runs/{run}/steps"),
        &format!("runs/{run}/audit"),
        &format!("runs/{run}/logs"),
        &format!("runs/{run}/appeals"),
        &format!("runs/{run}"),
        &format!("audit?entity_id={run}"),
        &format!("keys/{run}"),
        &format!("record-routes/{run}"),
        &format!("subscriptions/{run}/deliveries"),
    ] {
        let _ = stage.api.get(one).await;
    }
}
