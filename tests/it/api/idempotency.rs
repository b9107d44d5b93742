//! `Idempotency-Key`: the same request is done once.

use serde_json::{Value, json};

use crate::harness::{Answer, App, with_app};

async fn post(app: &App, path: &str, key: &str, body: Value) -> Answer {
    app.api
        .post_with(path, &[("idempotency-key", key)], body)
        .await
}

async fn one_step(app: &App) {
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", steps).await;
}

#[tokio::test]
async fn the_same_request_gives_the_first_answer_again() {
    with_app(async |app| {
        one_step(app).await;
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        for (number, (path, body)) in [
            ("workflows/w/execute", json!({"input": {"a": 1}})),
            ("runs", json!({"workflow": "w"})),
            (
                "runs/batch",
                json!({"runs": [{"workflow": "w"}, {"workflow": "w"}]}),
            ),
            ("agents", json!({"name": "a", "url": "http://127.0.0.1:9/"})),
            ("workflows", json!({"id": "v", "name": "v", "steps": steps})),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("key-{number}");
            let first = post(app, path, &key, body.clone()).await;
            assert!([201, 202].contains(&first.status), "{path}: {}", first.raw);
            assert_eq!(first.header("idempotency-replayed"), "", "{path}");
            let again = post(app, path, &key, body).await;
            assert_eq!(
                again.header("idempotency-replayed"),
                "true",
                "{path}: {}",
                again.raw
            );
            assert_eq!(
                (again.status, &again.body),
                (first.status, &first.body),
                "{path}"
            );
            assert_eq!(again.header("location"), first.header("location"), "{path}");
            post(app, path, &key, json!({"workflow": "w", "input": "other"})).await;
        }
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            4
        );
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.agent")
                .await,
            1
        );
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.workflow")
                .await,
            2
        );
    })
    .await;
}

/// Headers that are another with each answer.
const OWN: &[&str] = &["x-request-id", "date", "idempotency-replayed"];

fn told(answer: &Answer) -> Vec<String> {
    let mut headers: Vec<_> = answer
        .headers
        .iter()
        .filter(|(name, _)| !OWN.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
        .collect();
    headers.sort();
    headers
}

#[tokio::test]
async fn the_answer_is_the_same_byte_for_byte() {
    with_app(async |app| {
        one_step(app).await;
        // What a database that reads JSON would change: order, spaces, a field twice, long numbers.
        let odd = r#"{"z": 1.10,  "a":"\u00e9", "z":[1e2, 123456789012345678901234567890.5]}"#;
        let steps =
            r#"[{"type":"transform", "name":"t","config": {"value": {"z":1,  "a": 2.50}}}]"#;
        for (number, (path, body)) in [
            (
                "workflows/w/execute",
                format!(r#"{{"input": {odd}, "labels": {{"z": "1", "a": "2"}}}}"#),
            ),
            ("runs", format!(r#"{{"workflow": "w", "input": {odd}}}"#)),
            (
                "runs/batch",
                format!(r#"{{"runs": [{{"workflow": "w", "input": {odd}}}]}}"#),
            ),
            (
                "trigger",
                format!(r#"{{"workflow_id": "w", "payload": {odd}}}"#),
            ),
            (
                "agents",
                r#"{"name": "a", "url": "http://127.0.0.1:9/", "description": "\u00e9 \""}"#.into(),
            ),
            (
                "workflows",
                format!(r#"{{"id": "v", "name": "v", "steps": {steps}}}"#),
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let key = format!("bytes-{number}");
            let send = async || {
                let request = app
                    .api
                    .request(reqwest::Method::POST, path)
                    .header("content-type", "application/json")
                    .header("idempotency-key", &key)
                    .body(body.clone());
                app.api.send(request).await
            };
            let first = send().await;
            assert!([201, 202].contains(&first.status), "{path}: {}", first.raw);
            for _ in 0..2 {
                let again = send().await;
                assert_eq!(again.raw, first.raw, "{path}");
                assert_eq!(again.status, first.status, "{path}");
                assert_eq!(told(&again), told(&first), "{path}");
                assert_eq!(again.header("idempotency-replayed"), "true", "{path}");
            }
            if ["runs", "workflows/w/execute"].contains(&path) {
                assert!(first.raw.contains(odd), "{path}: {}", first.raw);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    with_app(async |app| {
        one_step(app).await;
        post(app, "runs", "k", json!({"workflow": "w", "input": 1}))
            .await
            .of(202);
        post(app, "runs", "k", json!({"workflow": "w", "input": 2}))
            .await
            .problem(422);
        post(app, "runs/batch", "b", json!({"runs": [{"workflow": "w"}]}))
            .await
            .of(202);
        post(
            app,
            "runs/batch",
            "b",
            json!({"runs": [{"workflow": "w", "input": 1}]}),
        )
        .await
        .problem(422);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            2
        );
    })
    .await;
}

#[tokio::test]
async fn many_at_once_make_one_run() {
    with_app(async |app| {
        one_step(app).await;
        let app = &*app;
        let posts = (0..16).map(|_| post(app, "runs", "once", json!({"workflow": "w"})));
        let answers = futures::future::join_all(posts).await;
        let ids: std::collections::BTreeSet<_> = answers
            .into_iter()
            .map(|answer| answer.of(202).text("/id"))
            .collect();
        assert_eq!(ids.len(), 1);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn a_refused_request_uses_no_key() {
    with_app(async |app| {
        one_step(app).await;
        post(app, "runs", "k", json!({"workflow": "nobody"}))
            .await
            .problem(404);
        post(app, "runs", "k", json!({"workflow": "w"}))
            .await
            .of(202);
    })
    .await;
}

#[tokio::test]
async fn a_key_has_its_limits() {
    with_app(async |app| {
        one_step(app).await;
        let body = json!({"workflow": "w"});
        post(app, "runs", &"k".repeat(255), body.clone())
            .await
            .of(202);
        post(app, "runs", &"k".repeat(256), body.clone())
            .await
            .problem(400);
        post(app, "runs", "", body).await.problem(400);
    })
    .await;
}
