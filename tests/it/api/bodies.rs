//! Bodies where none is taken, and what is coded otherwise than said.

use reqwest::Method;
use serde_json::json;

use crate::harness::with_app;

#[tokio::test]
async fn a_body_that_nobody_asks_for_is_refused() {
    with_app(async |app| {
        let steps = json!([{"name": "ask", "type": "wait", "config": {"signal": "go"}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        let hook = json!({"url": "http://127.0.0.1:9/", "event_types": ["stepwell.run.completed"]});
        let hook = app
            .api
            .post("subscriptions", hook)
            .await
            .of(201)
            .text("/id");
        let clock = json!({"name": "n", "workflow": "w", "cron": "0 0 1 1 *"});
        app.api.post("schedules", clock).await.of(201);
        let record = json!({"source": "s", "category": "c", "payload": {}});
        let record = app.api.post("records", record).await.of(201).text("/id");
        let worker = app.api.get("workers").await.of(200).text("/items/0/id");
        let secret = "select count(distinct secret) from stepwell.subscription";
        let (post, delete) = (Method::POST, Method::DELETE);
        let operations = [
            (&post, format!("runs/{run}/pause")),
            (&post, format!("runs/{run}/resume")),
            (&post, "queues/default/pause".into()),
            (&post, "queues/default/resume".into()),
            (&post, format!("records/{record}/process")),
            (&post, format!("subscriptions/{hook}/test")),
            (&post, format!("subscriptions/{hook}/secret")),
            (&post, "schedules/n/pause".into()),
            (&post, "schedules/n/resume".into()),
            (&post, "schedules/n/run".into()),
            (&post, format!("workers/{worker}/drain")),
            (&delete, "workflows/w".into()),
            (&delete, format!("subscriptions/{hook}")),
        ];
        let audited = "select count(*) from stepwell.audit where action not like 'step.%'
            and action not in ('run.waiting', 'run.started')";
        let before = (
            app.database.number(audited).await,
            app.database.number(secret).await,
        );
        for (method, path) in &operations {
            let send = |kind: &'static str, body: &'static str| {
                let request = app.api.request((*method).clone(), path);
                app.api
                    .send(request.header("content-type", kind).body(body))
            };
            let unknown = send("application/json", r#"{"reason": "x"}"#).await;
            unknown.problem(400).finds("/reason", "unknown field");
            send("application/json", "{garbage").await.problem(400);
            send("application/json", "[]").await.problem(400);
            send("text/plain", "hello").await.problem(415);
        }
        assert_eq!(app.api.run(&run).await["status"], "waiting");
        let after = (
            app.database.number(audited).await,
            app.database.number(secret).await,
        );
        assert_eq!(before, after, "nothing was done");
        // Nothing is no body, however it is said.
        for (body, paused) in [("", "pause"), ("{}", "resume"), ("null", "pause")] {
            let path = format!("runs/{run}/{paused}");
            app.api
                .post_raw(&path, "application/json", body)
                .await
                .of(202);
        }
        let plain = app.api.request(Method::POST, &format!("runs/{run}/resume"));
        app.api.send(plain).await.of(202);
        app.api
            .post_raw("runs/batch", "application/json", "")
            .await
            .problem(400);
    })
    .await;
}

#[tokio::test]
async fn what_is_coded_in_another_way_is_refused() {
    with_app(async |app| {
        let coded = |coding: &'static str, body: &'static str| {
            let request = app.api.request(Method::POST, "agents");
            let request = request.header("content-type", "application/json");
            app.api
                .send(request.header("content-encoding", coding).body(body))
        };
        let body = r#"{"name": "a", "url": "http://127.0.0.1:9"}"#;
        let refused = coded("gzip", body).await.problem(415);
        assert!(
            refused.text("/detail").contains("Content-Encoding"),
            "{}",
            refused.raw
        );
        coded("identity", body).await.of(201);
        let refused = app.api.get("agents?name=%ff").await.problem(400);
        assert!(refused.text("/detail").contains("UTF-8"), "{}", refused.raw);
        app.api.get("agents?name=%C3%BC").await.of(200);
    })
    .await;
}
