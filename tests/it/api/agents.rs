//! Agents: kept, changed, deleted, asked for their health; their secrets stay secret.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Agent, with_app};

#[tokio::test]
async fn an_agent_is_made_read_changed_and_deleted() {
    with_app(async |app| {
        let body = json!({
            "name": "scorer", "url": "http://127.0.0.1:9/score", "health_path": "/health",
            "description": "Scores people", "timeout_ms": 5000, "max_concurrency": 4,
            "retry_config": {"max_attempts": 2, "initial_interval_ms": 10, "backoff_coefficient": 3.0,
                             "max_interval_ms": 100, "jitter": 0.5, "retry_on": [503, "timeout"]},
        });
        let made = app.api.post("agents", body.clone()).await.of(201);
        let id = made.text("/id");
        assert_eq!(made.header("location"), format!("/api/v1/agents/{id}"));
        for (field, value) in body.as_object().unwrap() {
            assert_eq!(&made.body[field], value, "{field}");
        }
        assert_eq!(made.body["status"], "active");
        assert_eq!(made.body["auth_type"], "none");
        assert!(made.body["created_at"].as_str().unwrap().ends_with('Z'));

        let path = format!("agents/{id}");
        let read = app.api.get(&path).await.of(200);
        assert_eq!(read.body, made.body);
        assert!(!read.header("etag").is_empty());

        let mut changed = body;
        changed["timeout_ms"] = json!(7000);
        changed["status"] = json!("inactive");
        let put = app.api.put(&path, changed).await.of(200);
        assert_eq!(put.body["timeout_ms"], 7000);
        assert_eq!(put.body["status"], "inactive");
        assert_ne!(put.header("etag"), read.header("etag"));

        app.api.delete(&path).await.of(204);
        let gone = app.api.get(&path).await;
        assert!(gone.status == 404 || gone.body["deleted_at"].is_string(), "{}", gone.raw);
        let listed = app.api.get("agents").await.of(200).body;
        assert_eq!(listed["items"], json!([]));
        // Its name is free again.
        app.api.agent("scorer", "http://127.0.0.1:9/score").await;
    })
    .await;
}

#[tokio::test]
async fn every_broken_rule_is_listed() {
    with_app(async |app| {
        let body = json!({
            "name": "", "url": "ftp://127.0.0.1/x", "timeout_ms": 0, "max_concurrency": 0,
            "retry_config": {"max_attempts": 101, "jitter": 2.0, "backoff_coefficient": 0.1},
        });
        let answer = app.api.post("agents", body).await.problem(422);
        let expected = [
            "/max_concurrency",
            "/name",
            "/retry_config/backoff_coefficient",
            "/retry_config/jitter",
            "/retry_config/max_attempts",
            "/timeout_ms",
            "/url",
        ];
        assert_eq!(answer.pointers(), expected, "{}", answer.raw);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.agent")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn a_name_is_used_once() {
    with_app(async |app| {
        app.api.agent("a", "http://127.0.0.1:9/").await;
        let again = json!({"name": "a", "url": "http://127.0.0.1:10/"});
        app.api.post("agents", again).await.problem(409);
        let other = app.api.agent("b", "http://127.0.0.1:9/").await;
        let rename = json!({"name": "a", "url": "http://127.0.0.1:9/"});
        app.api
            .put(&format!("agents/{other}"), rename)
            .await
            .problem(409);
    })
    .await;
}

#[tokio::test]
async fn credentials_are_written_never_read() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let secret = "correct-horse-battery-staple";
        let cases = [
            ("bearer", json!({"token": secret}), "authorization"),
            (
                "api_key",
                json!({"header": "X-Service-Key", "key": secret}),
                "x-service-key",
            ),
            (
                "basic",
                json!({"username": "me", "password": secret}),
                "authorization",
            ),
        ];
        for (kind, config, header) in cases {
            let more = json!({"auth_type": kind, "auth_config": config});
            let path = format!("/{kind}");
            let id = app.api.agent_with(kind, &agent.url(&path), more).await;
            let read = app.api.get(&format!("agents/{id}")).await.of(200);
            assert!(!read.raw.contains(secret), "{}", read.raw);
            assert!(
                read.body["auth_config"].to_string().contains("•••"),
                "{}",
                read.raw
            );
            let steps = json!([{"name": "s", "type": "agent", "config": {"agent": kind}}]);
            app.api.workflow(kind, steps).await;
            let run = app.api.execute(kind, json!({})).await;
            assert_eq!(run["status"], "completed", "{run}");
            let sent = agent.called(&path, 1).await.header(header).to_owned();
            match kind {
                "bearer" => assert_eq!(sent, format!("Bearer {secret}")),
                "api_key" => assert_eq!(sent, secret),
                _ => assert!(sent.starts_with("Basic "), "{sent}"),
            }
        }
        let stored = app
            .database
            .text("select string_agg(encode(auth_secret, 'escape'), ' ') from stepwell.agent")
            .await
            .unwrap();
        assert!(!stored.contains(secret));
        let audited = app
            .database
            .text("select string_agg(concat(before, after, detail), ' ') from stepwell.audit")
            .await
            .unwrap();
        assert!(!audited.contains(secret));
        assert!(!app.processes[0].log().contains(secret));
    })
    .await;
}

#[tokio::test]
async fn an_agent_in_use_is_not_deleted() {
    with_app(async |app| {
        let id = app.api.agent("a", "http://127.0.0.1:9/").await;
        let step = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
        app.api.workflow("w", step).await;
        let refused = app.api.delete(&format!("agents/{id}")).await.problem(409);
        assert!(
            refused.raw.contains('w'),
            "it names the workflow: {}",
            refused.raw
        );
        app.api.delete("workflows/w").await.of(204);
        app.api.delete(&format!("agents/{id}")).await.of(204);
    })
    .await;
}

#[tokio::test]
async fn an_agent_is_in_use_wherever_a_step_may_stand() {
    with_app(async |app| {
        let call = json!({"type": "agent", "config": {"agent": "a"}});
        let with = |mut step: Value, name: &str| {
            step["name"] = json!(name);
            step
        };
        let map = |step: Value| json!({"type": "map", "config": {"items": "${[1]}", "step": step}});
        let plain = json!({"type": "transform", "config": {"value": 1}});
        let mut undone = plain.clone();
        undone["compensate"] = call.clone();
        let mut undone_map = map(plain.clone());
        undone_map["compensate"] = call.clone();
        let ways = [
            (json!([with(undone.clone(), "s")]), json!([])),
            (json!([with(undone_map, "s")]), json!([])),
            (json!([with(map(call.clone()), "s")]), json!([])),
            (
                json!([with(plain.clone(), "s")]),
                json!([with(call.clone(), "f")]),
            ),
        ];
        for (steps, on_failure) in ways {
            let id = app.api.agent("a", "http://127.0.0.1:9/").await;
            app.api
                .workflow_with("w", steps.clone(), json!({"on_failure": on_failure}))
                .await;
            let refused = app.api.delete(&format!("agents/{id}")).await.problem(409);
            assert_eq!(
                refused.body["type"], "urn:stepwell:problem:in-use",
                "{steps}"
            );
            // Neither may it take another name.
            let renamed = json!({"name": "b", "url": "http://127.0.0.1:9/"});
            app.api
                .put(&format!("agents/{id}"), renamed)
                .await
                .problem(409);
            app.api.delete("workflows/w").await.of(204);
            app.api.delete(&format!("agents/{id}")).await.of(204);
        }
        // What looks like a step in data is none.
        let id = app.api.agent("a", "http://127.0.0.1:9/").await;
        let mut data = plain;
        data["config"]["value"] = json!({"compensate": call, "step": call});
        app.api.workflow("w", json!([with(data, "s")])).await;
        app.api.delete(&format!("agents/{id}")).await.of(204);
    })
    .await;
}

#[tokio::test]
async fn a_stale_change_is_refused() {
    with_app(async |app| {
        let id = app.api.agent("a", "http://127.0.0.1:9/").await;
        let path = format!("agents/{id}");
        let first = app.api.get(&path).await.header("etag");
        let body = json!({"name": "a", "url": "http://127.0.0.1:10/"});
        let put = |tag: &str| {
            let request = app.api.request(Method::PUT, &path).header("if-match", tag);
            app.api.send(request.json(&body))
        };
        let second = put(&first).await.of(200).header("etag");
        put(&first).await.problem(412);
        let delete = |tag: &str| {
            app.api.send(
                app.api
                    .request(Method::DELETE, &path)
                    .header("if-match", tag),
            )
        };
        delete(&first).await.problem(412);
        delete(&second).await.of(204);
    })
    .await;
}

#[tokio::test]
async fn lists_filter_by_status_and_name() {
    with_app(async |app| {
        app.api.agent("one", "http://127.0.0.1:9/").await;
        let more = json!({"status": "inactive"});
        app.api.agent_with("two", "http://127.0.0.1:9/", more).await;
        let names = async |query: &str| {
            let page = app.api.get(&format!("agents?{query}")).await.of(200).body;
            let items = page["items"].as_array().unwrap().clone();
            items
                .iter()
                .map(|a| a["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("").await, ["two", "one"], "newest first");
        assert_eq!(names("sort_order=asc").await, ["one", "two"]);
        assert_eq!(names("status=inactive").await, ["two"]);
        assert_eq!(names("name=one").await, ["one"]);
    })
    .await;
}

#[tokio::test]
async fn every_change_is_audited_with_before_and_after() {
    with_app(async |app| {
        let headers = [("x-request-id", "req-1")];
        let body = json!({"name": "a", "url": "http://127.0.0.1:9/"});
        let id = app
            .api
            .post_with("agents", &headers, body)
            .await
            .of(201)
            .text("/id");
        app.api
            .put(
                &format!("agents/{id}"),
                json!({"name": "a", "url": "http://127.0.0.1:10/"}),
            )
            .await
            .of(200);
        app.api.delete(&format!("agents/{id}")).await.of(204);
        let trail = app
            .database
            .text(&format!(
            "select string_agg(action || ':' || actor, ' ' order by sequence) from stepwell.audit
              where entity_type = 'agent' and entity_id = '{id}'"))
            .await
            .unwrap();
        assert_eq!(
            trail,
            "agent.created:anonymous agent.updated:anonymous agent.deleted:anonymous"
        );
        let change = app
            .database
            .text(&format!(
                "select (before ->> 'url') || ' ' || (after ->> 'url') from stepwell.audit
              where entity_id = '{id}' and action = 'agent.updated'"
            ))
            .await
            .unwrap();
        assert_eq!(change, "http://127.0.0.1:9/ http://127.0.0.1:10/");
    })
    .await;
}
