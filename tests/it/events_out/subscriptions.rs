//! Subscriptions as a resource: kept, changed, their secrets shown once.

use reqwest::Method;
use serde_json::json;

use super::receiver::SECRET;
use crate::harness::{App, Database, Process, with_app};

#[tokio::test]
async fn a_subscription_is_made_read_changed_and_deleted() {
    with_app(async |app| {
        let body = json!({
            "name": "billing", "url": "http://127.0.0.1:9/hook", "workflow": "order",
            "event_types": ["stepwell.run.completed", "stepwell.step.*"],
        });
        let key = [("idempotency-key", "k1")];
        let made = app.api.post_with("subscriptions", &key, body.clone()).await.of(201);
        let (id, secret) = (made.text("/id"), made.text("/secret"));
        assert!(secret.starts_with("whsec_") && secret.len() > 40, "{secret}");
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(&made.body[field], value, "{field}");
        }
        // Shown once: neither again, nor when it is read.
        let again = app.api.post_with("subscriptions", &key, body.clone()).await.of(201);
        assert_eq!((again.text("/id"), again.text("/secret")), (id.clone(), "•••".to_owned()));
        let path = format!("subscriptions/{id}");
        assert_eq!(app.api.get(&path).await.of(200).body["secret"], "•••");
        let listed = app.api.get("subscriptions?workflow=order&status=active&count=true").await.of(200).body;
        assert_eq!((&listed["items"][0]["id"], &listed["total"]), (&json!(id), &json!(1)));

        // What is stored is encrypted, and the trail does not tell.
        let told = format!(
            "select count(*) from stepwell.audit where entity_id = '{id}' and after::text like '%whsec%'"
        );
        assert_eq!(app.database.number(&told).await, 0);
        let plain = "select count(*) from stepwell.subscription where position('whsec'::bytea in secret) > 0";
        assert_eq!(app.database.number(plain).await, 0);

        let mut changed = body;
        changed["status"] = json!("disabled");
        changed["secret"] = json!("•••");
        let put = |tag: &str| app.api.request(Method::PUT, &path).header("if-match", tag).json(&changed);
        app.api.send(put("\"9\"")).await.problem(412);
        let answer = app.api.send(put(&made.header("etag"))).await.of(200);
        assert_eq!((&answer.body["status"], answer.header("etag")), (&json!("disabled"), format!("\"{id}.2\"")));
        assert!(answer.body["old_secret_until"].is_null(), "the secret was kept: {}", answer.raw);
        assert_eq!(app.api.send(put("*")).await.of(200).header("etag"), answer.header("etag"));
        app.api.post(&format!("{path}/test"), json!(null)).await.problem(409);

        app.api.delete(&path).await.of(204);
        app.api.get(&path).await.problem(404);
        app.api.get(&format!("{path}/deliveries")).await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn every_broken_rule_of_a_subscription_is_listed() {
    with_app(async |app| {
        let body = json!({
            "name": "", "url": "ftp://x/", "event_types": ["stepwell.run.*", "a b", ""], "workflow": "",
            "secret": "whsec_dG9vIHNob3J0", "status": "on",
        });
        let answer = app.api.post("subscriptions", body).await.problem(422);
        let fields = ["event_types/1", "event_types/2", "name", "secret", "status", "url", "workflow"];
        assert_eq!(answer.pointers(), fields.map(|field| format!("/{field}")));
        let none = json!({"url": "http://127.0.0.1:9/", "event_types": []});
        app.api.post("subscriptions", none).await.problem(422).finds("/event_types", "1 to 100");
        app.api.get("subscriptions/x").await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn without_a_master_key_nothing_that_is_signed_is_taken() {
    let mut app = App::on(Database::migrated().await, &[]);
    let variables = app.variables();
    let keyless = variables
        .iter()
        .filter(|(name, _)| name != "STEPWELL_MASTER_KEY_FILE");
    let keyless: Vec<_> = keyless
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let port = app.port.to_string();
    app.processes
        .push(Process::spawn("api", &["api", "--port", &port], &keyless));
    app.ready().await;
    let body = json!({"url": "http://127.0.0.1:9/", "event_types": ["*"], "secret": SECRET});
    app.api
        .post("subscriptions", body)
        .await
        .problem(422)
        .finds("/secret", "master key");
    let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("quick", steps).await;
    let body = json!({"callback_url": "http://127.0.0.1:9/"});
    let answer = app
        .api
        .post("workflows/quick/execute", body.clone())
        .await
        .problem(422);
    answer.finds("/callback_url", "master key");
    let batch = json!({"runs": [{"workflow": "quick"}, {"workflow": "quick", "callback_url": body["callback_url"]}]});
    app.api
        .post("runs/batch", batch)
        .await
        .problem(422)
        .finds("/runs/1/callback_url", "master key");
    app.finish().await;
}
