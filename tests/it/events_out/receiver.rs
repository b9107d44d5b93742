//! What a subscriber does: it verifies each call with the published library, and reads the event.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Call, PATIENCE, until};

/// A secret as clients make one.
pub(super) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Whether the library takes this call as signed with this secret.
pub(crate) fn is_signed(call: &Call, secret: &str) -> bool {
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, call.header(name).parse().unwrap());
    }
    let library = standardwebhooks::Webhook::new(secret).unwrap();
    library.verify(&call.raw, &headers).is_ok()
}

/// The event in a call; fails unless it is a signed CloudEvent.
#[track_caller]
pub(crate) fn event(call: &Call, secret: &str) -> Value {
    assert!(is_signed(call, secret), "not signed: {call:?}");
    assert_eq!(call.header("content-type"), "application/cloudevents+json");
    let event = &call.body;
    assert_eq!(event["specversion"], "1.0", "{event}");
    assert_eq!(event["id"], call.header("webhook-id"), "{event}");
    for field in ["source", "type", "time"] {
        assert!(!event[field].as_str().unwrap().is_empty(), "{event}");
    }
    event.clone()
}

/// Subscribes a path of an agent; gives the id.
pub(super) async fn subscribe(app: &App, url: &str, event_types: Value) -> String {
    let body = json!({"url": url, "event_types": event_types, "secret": SECRET});
    app.api
        .post("subscriptions", body)
        .await
        .of(201)
        .text("/id")
}

/// A workflow that is over at once.
pub(super) async fn quick(app: &App, slug: &str) {
    let steps =
        json!([{"name": "s", "type": "transform", "config": {"value": {"n": "${input.n}"}}}]);
    let more = json!({"output": "${steps.s.output}"});
    app.api.workflow_with(slug, steps, more).await;
}

/// Waits until the last delivery of a subscription has this status; gives it.
pub(crate) async fn delivery(app: &App, subscription: &str, status: &str) -> Value {
    until(&format!("a delivery is {status}"), PATIENCE, async || {
        let path = format!("subscriptions/{subscription}/deliveries?limit=1");
        let last = app.api.get(&path).await.of(200).body["items"][0].clone();
        (last["status"] == status).then_some(last)
    })
    .await
}

/// Waits until an attempt of the last delivery of a subscription has failed, and another is to come;
/// gives the delivery.
pub(super) async fn retrying(app: &App, subscription: &str) -> Value {
    until("an attempt has failed", PATIENCE, async || {
        let pending = delivery(app, subscription, "pending").await;
        pending["error"].is_string().then_some(pending)
    })
    .await
}

/// Waits until an agent was called with an event of each of these runs; gives the calls.
pub(crate) async fn told_of(agent: &Agent, path: &str, runs: &[String]) -> Vec<Call> {
    until("every run is told of", PATIENCE, async || {
        let calls = agent.calls(path);
        let told = |run: &String| {
            calls
                .iter()
                .any(|call| call.body["subject"] == run.as_str())
        };
        runs.iter().all(told).then_some(calls)
    })
    .await
}
