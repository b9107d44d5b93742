//! `callback_url`: the end of one run is told to whoever started it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::receiver::{event, quick};
use crate::harness::{Agent, Call, Reply, with_app};

/// The secret, derived as the documentation says, from the master key of the tests.
fn secret() -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[0x5f; 32]).unwrap();
    mac.update(b"stepwell callback_url v1");
    format!("whsec_{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// The event in a call to a `callback_url`; fails unless it is signed.
pub(crate) fn is_told(call: &Call) -> Value {
    event(call, &secret())
}

#[tokio::test]
async fn the_end_of_a_run_is_told_where_its_starter_says() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        let to = |path: &str| json!({"input": {"n": 5}, "callback_url": agent.url(path)});
        let run = app.api.start_with("quick", to("/single")).await;
        let told = event(&agent.called("/single", 1).await, &secret());
        assert_eq!(
            (&told["type"], &told["subject"]),
            (&json!("stepwell.run.completed"), &json!(run))
        );
        assert_eq!(told["data"]["output"], json!({"n": 5}));

        let mut entry = to("/batch");
        entry["workflow"] = json!("quick");
        app.api
            .post("runs/batch", json!({"runs": [entry, entry]}))
            .await
            .of(202);
        agent.called("/batch", 2).await;
        // Runs that say nothing tell nobody.
        app.api.execute("quick", json!({"n": 6})).await;

        let bad = json!({"callback_url": "ftp://x/"});
        app.api
            .post("workflows/quick/execute", bad)
            .await
            .problem(422)
            .finds("/callback_url", "http");
        let last = app.api.start_with("quick", to("/single")).await;
        let told = agent.called("/single", 2).await;
        assert_eq!(told.body["subject"], last);
        assert_eq!((agent.calls("/batch").len(), agent.all().len()), (2, 4));
    })
    .await;
}

#[tokio::test]
async fn every_end_is_told_also_that_of_a_retry() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/work", 1, Reply::Json(400, json!({})));
        let steps = json!([{"name": "s", "type": "http", "config": {"url": agent.url("/work"), "method": "POST"}}]);
        app.api.workflow("fails", steps).await;
        let order = json!({"callback_url": agent.url("/hook")});
        let run = app.api.start_with("fails", order).await;
        let told = event(&agent.called("/hook", 1).await, &secret());
        assert_eq!(told["type"], "stepwell.run.failed");
        assert_eq!(told["data"]["error"]["step"], "s");
        app.api.post(&format!("runs/{run}/retry"), json!({})).await.of(202);
        let told = event(&agent.called("/hook", 2).await, &secret());
        assert_eq!((&told["type"], &told["data"]["generation"]), (&json!("stepwell.run.completed"), &json!(2)));
    })
    .await;
}
