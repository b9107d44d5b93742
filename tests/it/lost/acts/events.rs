//! Subscribers, and what they are told.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, transform};
use crate::harness::{PATIENCE, Reply, until};

const RUNS: usize = 5;
const PENDING: &str = "select count(*) from stepwell.delivery where status = 'pending'";

pub(super) async fn prepare(stage: &Stage) {
    stage
        .app
        .api
        .workflow("quick", json!([transform("s")]))
        .await;
}

async fn subscribe(stage: &Stage, path: &str, types: Value) -> String {
    let body = json!({"name": path, "url": stage.agent.url(path), "event_types": types});
    stage
        .app
        .api
        .post("subscriptions", body)
        .await
        .of(201)
        .text("/id")
}

async fn runs(stage: &Stage, count: usize) -> Vec<String> {
    let mut runs = Vec::new();
    for _ in 0..count {
        let body = json!({"callback_url": stage.agent.url("/starter")});
        runs.push(stage.starts("quick", body).await);
    }
    for run in &runs {
        stage.ends(run).await;
    }
    runs
}

/// Each end is told to each who asked, and is one event.
pub(super) async fn told(stage: &Stage) {
    subscribe(stage, "/all", json!(["stepwell.run.completed"])).await;
    let runs = runs(stage, RUNS).await;
    for path in ["/all", "/starter"] {
        until("every end is told", PATIENCE, async || {
            let calls = stage.agent.calls(path);
            let told = |run: &String| {
                calls
                    .iter()
                    .any(|call| call.body["subject"] == run.as_str())
            };
            runs.iter().all(told).then_some(())
        })
        .await;
    }
    // A delivery whose end was not written is made again after a while; it is the same event.
    for path in ["/all", "/starter"] {
        let calls = stage.agent.calls(path);
        let ids: BTreeSet<_> = calls
            .iter()
            .filter(|call| runs.iter().any(|run| call.body["subject"] == run.as_str()))
            .map(|call| call.header("webhook-id"))
            .collect();
        assert_eq!(ids.len(), RUNS, "{path}: an event for each end");
    }
}

/// Subscribers that fail, and one that is gone.
pub(super) async fn refused(stage: &Stage) {
    stage.agent.on("/gone", |_| Reply::Json(410, json!({})));
    stage.agent.fails("/busy", 1, Reply::Json(503, json!({})));
    let gone = subscribe(stage, "/gone", json!(["stepwell.run.completed"])).await;
    subscribe(stage, "/busy", json!(["stepwell.run.completed"])).await;
    runs(stage, 1).await;
    stage.agent.called("/busy", 1).await;
    until("who is gone is left alone", PATIENCE, async || {
        let one = stage.app.api.get(&format!("subscriptions/{gone}")).await;
        (one.body["status"] == "disabled").then_some(())
    })
    .await;
}

/// A subscription is made, changed, tried and deleted.
pub(super) async fn subscriptions(stage: &Stage) {
    let body = |name: &str| json!({"name": name, "url": stage.agent.url("/hook"), "event_types": ["stepwell.run.completed"]});
    stage.posts_once("subscriptions", body("one")).await;
    let id = "select id::text from stepwell.subscription where name = 'one' limit 1";
    let id = stage.app.database.text(id).await.unwrap();
    let path = format!("subscriptions/{id}");
    stage.asks(Method::PUT, &path, body("two")).await;
    stage.posts(&format!("{path}/secret"), json!({})).await;
    stage.posts(&format!("{path}/test"), Value::Null).await;
    stage.agent.called("/hook", 1).await;
    until("it is told", PATIENCE, async || {
        (stage.app.database.number(PENDING).await == 0).then_some(())
    })
    .await;
    let page = stage
        .app
        .api
        .get(&format!("{path}/deliveries"))
        .await
        .of(200);
    let delivery = page.text("/items/0/id");
    stage
        .posts(
            &format!("{path}/deliveries/{delivery}/redeliver"),
            Value::Null,
        )
        .await;
    stage.agent.called("/hook", 2).await;
    let mut off = body("two");
    off["status"] = json!("disabled");
    stage.asks(Method::PUT, &path, off).await;
    stage.asks(Method::DELETE, &path, Value::Null).await;
}
