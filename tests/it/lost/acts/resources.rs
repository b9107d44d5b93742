//! What operators and authors keep: workflows, keys, queues, records.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, transform};

pub(super) async fn prepare(stage: &Stage) {
    stage
        .app
        .api
        .workflow("quick", json!([transform("s")]))
        .await;
}

pub(super) async fn workflows(stage: &Stage) {
    let body =
        |name: &str, step: &str| json!({"id": "w", "name": name, "steps": [transform(step)]});
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
        .posts("keys", json!({"name": "ci", "role": "operator"}))
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
        .posts(
            "record-routes",
            json!({"category": "lead", "workflow": "quick", "auto": true}),
        )
        .await;
    stage.posts("records", record("order")).await;
    stage.posts("records", record("lead")).await;
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
