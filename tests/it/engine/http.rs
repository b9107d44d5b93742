//! `http` and `webhook` steps.

use serde_json::json;

use crate::harness::{Agent, App, Reply, with_app};

#[tokio::test]
async fn a_get_without_a_body_and_with_computed_parts() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let config = json!({"url": agent.url("/people/${input.id}?q=1"), "method": "GET",
            "headers": {"X-Kind": "${input.kind}"}});
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "http", "config": config}]),
            )
            .await;
        let run = app
            .api
            .execute("w", json!({"id": 17, "kind": "special"}))
            .await;
        assert_eq!(run["status"], "completed", "{run}");
        let call = agent.called("/people/17?q=1", 1).await;
        assert_eq!(
            (call.method.as_str(), call.header("x-kind")),
            ("GET", "special")
        );
        assert_eq!(run["output"]["status"], 200);
    })
    .await;
}

#[tokio::test]
async fn text_is_a_body_too() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let text = vec![("content-type", "text/plain".to_owned())];
        agent.on("/t", move |_| {
            Reply::Raw(200, text.clone(), "plain words".to_owned())
        });
        let config = json!({"url": agent.url("/t"), "method": "GET"});
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "http", "config": config}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["output"]["body"], "plain words", "{run}");
    })
    .await;
}

#[tokio::test]
async fn only_expected_statuses_complete_it() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/missing", |_| Reply::Json(404, json!({"no": "thing"})));
        let config = json!({"url": agent.url("/missing"), "method": "GET"});
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "http", "config": config}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("http_status")),
            "{run}"
        );
        let config =
            json!({"url": agent.url("/missing"), "method": "GET", "expect_status": [200, 404]});
        app.api
            .workflow(
                "e",
                json!([{"name": "s", "type": "http", "config": config}]),
            )
            .await;
        let run = app.api.execute("e", json!({})).await;
        assert_eq!(
            (&run["status"], &run["output"]["status"]),
            (&json!("completed"), &json!(404)),
            "{run}"
        );
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let target = vec![("location", agent.url("/elsewhere"))];
        agent.on("/moved", move |_| {
            Reply::Raw(302, target.clone(), String::new())
        });
        let config = json!({"url": agent.url("/moved"), "method": "GET"});
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "http", "config": config}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(agent.calls("/elsewhere").len(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_webhook_is_signed() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let config = json!({"url": agent.url("/hook"), "method": "POST", "body": {"a": 1},
            "sign": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"});
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "webhook", "config": config}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        let call = agent.called("/hook", 1).await;
        assert!(
            call.header("webhook-signature").starts_with("v1,"),
            "{call:?}"
        );
        assert!(
            !call.header("webhook-id").is_empty() && !call.header("webhook-timestamp").is_empty()
        );
        assert!(!call.header("idempotency-key").is_empty());
        assert!(
            !json!(app.api.steps(run["id"].as_str().unwrap()).await)
                .to_string()
                .contains("MfKQ9r8")
        );
    })
    .await;
}

#[tokio::test]
async fn a_step_is_shown_with_the_type_that_was_written() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let config = json!({"url": agent.url("/hook")});
        let steps = json!([
            {"name": "go", "type": "wait", "config": {"signal": "go"}},
            {"name": "hook", "type": "webhook", "config": config},
            {"name": "call", "type": "http", "config": config},
            {"name": "all", "type": "map", "config": {"items": "[1]",
                "step": {"type": "webhook", "config": config}}},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        app.api.reaches(&run, "waiting").await;
        let types = async || -> Vec<String> {
            let steps = app.api.steps(&run).await;
            let word = |step: &serde_json::Value| step["type"].as_str().unwrap().to_owned();
            steps.iter().map(word).collect()
        };
        assert_eq!(types().await, ["wait", "webhook", "http", "map"]);
        app.api
            .post(&format!("runs/{run}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&run).await;
        assert_eq!(types().await, ["wait", "webhook", "http", "map", "webhook"]);
    })
    .await;
}

#[tokio::test]
async fn private_addresses_are_refused_unless_allowed() {
    let app = App::separate(1, &[("STEPWELL_WORKER_ALLOW_PRIVATE", "false")]).await;
    let agent = Agent::start().await;
    let port = agent.url("").rsplit(':').next().unwrap().to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::1]",
        "0.0.0.0",
        "2130706433",
        "127.1",
        "[::ffff:127.0.0.1]",
        "169.254.169.254",
        "10.0.0.1",
    ] {
        let config = json!({"url": format!("http://{host}:{port}/x"), "method": "GET"});
        let slug = format!(
            "w{}",
            host.replace(|c: char| !c.is_ascii_alphanumeric(), "-")
        );
        let retry = json!({"max_attempts": 1});
        let steps = json!([{"name": "s", "type": "http", "config": config, "retry": retry, "timeout_ms": 5000}]);
        let body = json!({"id": slug, "name": slug, "steps": steps});
        app.api.post("workflows", body).await.of(201);
        let run = app.api.execute(&slug, json!({})).await;
        assert_eq!(run["status"], "failed", "{host}: {run}");
        assert_ne!(run["error"]["type"], "timeout", "{host}: {run}");
    }
    assert_eq!(agent.all().len(), 0);
    app.finish().await;
}
