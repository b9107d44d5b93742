//! HEAD says what GET would say, without saying it.

use reqwest::Method;
use serde_json::json;

use crate::harness::with_app;

/// Headers that are another with each answer.
const OWN: &[&str] = &["x-request-id", "date"];

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    with_app(async |app| {
        app.api.agent("a", "http://127.0.0.1:9/a").await;
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.execute("w", json!({})).await;
        let run = format!("runs/{}", run["id"].as_str().unwrap());
        for path in [
            "/",
            "/health",
            "/health/live",
            "/health/ready",
            "/version",
            "/openapi.json",
            "/docs/",
            "/redoc",
            "/redoc/redoc.js",
            "agents",
            "agents/a",
            "workflows",
            "workflows/w",
            "workflows/w/versions",
            "workflows/w/versions/1",
            "runs",
            &run,
            &format!("{run}/steps"),
            &format!("{run}/audit"),
            "runs/none",
            "workflows/none",
            "agents?limit=0",
            "/none",
        ] {
            let get = app.api.get(path).await;
            let head = app.api.send(app.api.request(Method::HEAD, path)).await;
            assert_eq!(head.status, get.status, "{path}: {head:?}");
            assert_eq!(head.raw, "", "{path}");
            let shown = |answer: &crate::harness::Answer| {
                let mut headers: Vec<_> = answer
                    .headers
                    .iter()
                    .filter(|(name, _)| !OWN.contains(&name.as_str()))
                    .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                    .collect();
                headers.sort();
                headers
            };
            assert_eq!(shown(&head), shown(&get), "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_method_hears_all_the_right_ones() {
    with_app(async |app| {
        for (method, path, allowed) in [
            (Method::PATCH, "agents", "GET, HEAD, POST"),
            (Method::POST, "agents/a", "DELETE, GET, HEAD, PUT"),
            (Method::DELETE, "workflows", "GET, HEAD, POST"),
            (Method::PUT, "runs/x", "GET, HEAD"),
            (Method::GET, "runs/x/cancel", "POST"),
            (Method::HEAD, "trigger", "POST"),
            (Method::POST, "/metrics", "GET, HEAD"),
            (Method::OPTIONS, "/version", "GET, HEAD"),
        ] {
            let answer = app.api.send(app.api.request(method.clone(), path)).await;
            assert_eq!(answer.status, 405, "{method} {path}: {answer:?}");
            assert_eq!(answer.header("allow"), allowed, "{method} {path}");
            if method != Method::HEAD {
                answer.problem(405);
            }
        }
    })
    .await;
}
