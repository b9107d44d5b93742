//! GET of an agent's health calls it now.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

#[tokio::test]
async fn an_agent_is_asked_at_its_health_path() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let more = json!({"health_path": "/up?deep=1", "auth_type": "bearer",
            "auth_config": {"token": "s3cret"}});
        let id = app.api.agent_with("a", &agent.url("/run"), more).await;
        let health = app
            .api
            .get(&format!("agents/{id}/health"))
            .await
            .of(200)
            .body;
        assert_eq!(health["status"], "healthy", "{health}");
        assert_eq!(health["http_status"], 200, "{health}");
        assert!(
            health["latency_ms"].is_u64() && health["checked_at"].is_string(),
            "{health}"
        );
        assert_eq!(health.as_object().unwrap().len(), 4, "{health}");
        let call = agent.called("/up?deep=1", 1).await;
        assert_eq!(
            (call.method.as_str(), &call.body),
            ("GET", &Value::Null),
            "{call:?}"
        );
        assert_eq!(call.header("authorization"), "Bearer s3cret");
        assert!(!call.header("x-request-id").is_empty());
        for status in [301, 404, 500] {
            agent.on("/up?deep=1", move |_| Reply::Json(status, Value::Null));
            let health = app.api.get("agents/a/health").await.of(200).body;
            assert_eq!(
                (&health["status"], &health["http_status"]),
                (&json!("unhealthy"), &json!(status))
            );
        }
        assert!(agent.calls("/run").is_empty(), "no step was run");
    })
    .await;
}

#[tokio::test]
async fn without_a_path_any_answer_but_a_fault_is_well() {
    with_app(async |app| {
        let agent = Agent::start().await;
        app.api.agent("a", &agent.url("/run")).await;
        for (status, expected) in [(200, "healthy"), (405, "healthy"), (503, "unhealthy")] {
            agent.on("/run", move |_| Reply::Json(status, Value::Null));
            let health = app.api.get("agents/a/health").await.of(200).body;
            assert_eq!(health["status"], expected, "{status}: {health}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_does_not_answer_is_unreachable() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/never", |_| Reply::Never);
        agent.on("/hang-up", |_| Reply::HangUp);
        app.api
            .agent_with("slow", &agent.url("/never"), json!({"timeout_ms": 300}))
            .await;
        app.api.agent("rude", &agent.url("/hang-up")).await;
        app.api.agent("gone", "http://127.0.0.1:9/").await;
        for name in ["slow", "rude", "gone"] {
            let health = app
                .api
                .get(&format!("agents/{name}/health"))
                .await
                .of(200)
                .body;
            assert_eq!(health["status"], "unreachable", "{name}: {health}");
            assert_eq!(health["http_status"], Value::Null, "{name}");
        }
        let slow = app.api.get("agents/slow/health").await.of(200).body;
        assert!(
            (300..10_000).contains(&slow["latency_ms"].as_u64().unwrap()),
            "{slow}"
        );
        app.api.get("agents/nobody/health").await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_workers_may_not_call_is_not_asked() {
    let app = App::separate(0, &[("STEPWELL_WORKER_ALLOW_PRIVATE", "false")]).await;
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/run")).await;
    let answer = app.api.get("agents/a/health").await.problem(409);
    assert!(
        answer.text("/detail").contains("not a public address"),
        "{answer:?}"
    );
    assert!(agent.all().is_empty());
    app.finish().await;
}
