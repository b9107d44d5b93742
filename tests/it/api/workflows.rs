//! Workflows: kept under a slug, versioned by content.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::with_app;

fn one_step(value: i32) -> Value {
    json!([{"name": "t", "type": "transform", "config": {"value": value}}])
}

#[tokio::test]
async fn a_workflow_is_made_read_changed_and_deleted() {
    with_app(async |app| {
        let body = json!({"id": "my-flow", "name": "My Flow", "description": "d",
            "labels": {"team": "a"}, "steps": one_step(1), "timeout_ms": 60_000, "max_parallel": 3,
            "input_schema": {"type": "object"}, "output": "${steps.t.output}"});
        let made = app.api.post("workflows", body.clone()).await.of(201);
        let id = made.text("/id");
        assert!(
            uuid::Uuid::parse_str(&id).is_ok() || id == "my-flow",
            "{id}"
        );
        assert!(
            made.header("location").starts_with("/api/v1/workflows/"),
            "{made:?}"
        );
        assert_eq!(made.body["version"], 1);
        assert_eq!(made.body["status"], "active");
        for field in [
            "description",
            "labels",
            "timeout_ms",
            "max_parallel",
            "input_schema",
            "output",
        ] {
            assert_eq!(made.body[field], body[field], "{field}");
        }
        assert!(!made.text("/content_hash").is_empty());
        assert!(!made.header("etag").is_empty());

        let by_slug = app.api.get("workflows/my-flow").await.of(200);
        let by_id = app.api.get(&format!("workflows/{id}")).await.of(200);
        assert_eq!(by_slug.body, by_id.body);
        let location = app.api.get(&made.header("location")).await.of(200);
        assert_eq!(location.body, made.body);

        let mut changed = body.clone();
        changed["steps"] = one_step(2);
        let second = app
            .api
            .put("workflows/my-flow", changed.clone())
            .await
            .of(200);
        assert_eq!(second.body["version"], 2);
        assert_ne!(second.body["content_hash"], made.body["content_hash"]);
        let same = app.api.put("workflows/my-flow", changed).await.of(200);
        assert_eq!(same.body["version"], 2, "the same content makes no version");

        let versions = app.api.get("workflows/my-flow/versions").await.of(200).body;
        let numbers: Vec<_> = versions["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["version"].clone())
            .collect();
        assert_eq!(numbers, [json!(2), json!(1)], "newest first");
        let old = app
            .api
            .get("workflows/my-flow/versions/1")
            .await
            .of(200)
            .body;
        assert_eq!(old["content_hash"], made.body["content_hash"]);
        assert_eq!(
            old.pointer("/steps/0/config/value")
                .or_else(|| old.pointer("/definition/steps/0/config/value")),
            Some(&json!(1)),
            "{old}"
        );
        app.api
            .get("workflows/my-flow/versions/3")
            .await
            .problem(404);

        app.api.delete("workflows/my-flow").await.of(204);
        app.api.get("workflows/my-flow").await.problem(404);
        app.api
            .post("workflows/my-flow/execute", json!({}))
            .await
            .problem(404);
        app.api.workflow("my-flow", one_step(3)).await;
    })
    .await;
}

#[tokio::test]
async fn a_run_keeps_the_version_it_began_with() {
    with_app(async |app| {
        app.api.workflow("w", one_step(1)).await;
        let body = json!({"id": "w", "name": "w", "steps": one_step(2)});
        app.api.put("workflows/w", body).await.of(200);
        let newest = app.api.execute("w", json!({})).await;
        assert_eq!(
            (&newest["version"], &newest["output"]),
            (&json!(2), &json!(2))
        );
        let first = app.api.start_with("w", json!({"version": 1})).await;
        let first = app.api.finished(&first).await;
        assert_eq!(
            (&first["version"], &first["output"]),
            (&json!(1), &json!(1))
        );
        app.api
            .post("workflows/w/execute", json!({"version": 9}))
            .await
            .problem(422)
            .finds("/version", "no such version");
    })
    .await;
}

#[tokio::test]
async fn key_order_and_labels_make_no_new_version() {
    with_app(async |app| {
        let first = r#"{"id":"w","name":"w","steps":[{"name":"t","type":"transform","config":{"value":{"a":1,"b":2}}}]}"#;
        let other = r#"{"steps":[{"config":{"value":{"b":2,"a":1}},"type":"transform","name":"t"}],"name":"w","id":"w"}"#;
        let made = app.api.post_raw("workflows", "application/json", first).await.of(201);
        let request = app.api.request(Method::PUT, "workflows/w").header("content-type", "application/json");
        let put = app.api.send(request.body(other)).await.of(200);
        assert_eq!(put.body["version"], 1);
        assert_eq!(put.body["content_hash"], made.body["content_hash"]);
    })
    .await;
}

#[tokio::test]
async fn an_inactive_workflow_starts_no_run() {
    with_app(async |app| {
        app.api.workflow("w", one_step(1)).await;
        let body = json!({"id": "w", "name": "w", "steps": one_step(1), "status": "inactive"});
        let put = app.api.put("workflows/w", body).await.of(200);
        assert_eq!(
            (&put.body["status"], &put.body["version"]),
            (&json!("inactive"), &json!(1))
        );
        app.api
            .post("workflows/w/execute", json!({}))
            .await
            .problem(409);
    })
    .await;
}

#[tokio::test]
async fn a_slug_is_used_once_and_well_formed() {
    with_app(async |app| {
        app.api.workflow("w", one_step(1)).await;
        let again = json!({"id": "w", "name": "other", "steps": one_step(1)});
        app.api.post("workflows", again).await.problem(409);
        for slug in ["", "with space", "a/b", "../x"] {
            let body = json!({"id": slug, "name": "x", "steps": one_step(1)});
            app.api
                .post("workflows", body)
                .await
                .problem(422)
                .finds("/id", "");
        }
    })
    .await;
}

#[tokio::test]
async fn without_an_id_the_name_is_the_slug() {
    with_app(async |app| {
        let body = json!({"name": "plain-name", "steps": one_step(1)});
        app.api.post("workflows", body).await.of(201);
        app.api.get("workflows/plain-name").await.of(200);
        assert_eq!(
            app.api.execute("plain-name", json!({})).await["status"],
            "completed"
        );
    })
    .await;
}

#[tokio::test]
async fn a_stale_change_is_refused() {
    with_app(async |app| {
        app.api.workflow("w", one_step(1)).await;
        let first = app.api.get("workflows/w").await.header("etag");
        let put = |tag: &str, value: i32| {
            let body = json!({"id": "w", "name": "w", "steps": one_step(value)});
            let request = app
                .api
                .request(Method::PUT, "workflows/w")
                .header("if-match", tag);
            app.api.send(request.json(&body))
        };
        let second = put(&first, 2).await.of(200).header("etag");
        put(&first, 3).await.problem(412);
        let delete = |tag: &str| {
            app.api.send(
                app.api
                    .request(Method::DELETE, "workflows/w")
                    .header("if-match", tag),
            )
        };
        delete(&first).await.problem(412);
        delete(&second).await.of(204);
    })
    .await;
}

#[tokio::test]
async fn a_tag_is_of_one_entity_and_not_of_its_name() {
    with_app(async |app| {
        let agent = json!({"name": "a", "url": "http://127.0.0.1:9/"});
        let workflow = json!({"id": "a", "name": "a", "steps": one_step(1)});
        for (kind, body) in [("agents", agent), ("workflows", workflow)] {
            let path = format!("{kind}/a");
            let key = [("idempotency-key", "k")];
            let first = app.api.post_with(kind, &key, body.clone()).await.of(201);
            let again = app.api.post_with(kind, &key, body.clone()).await.of(201);
            let tag = first.header("etag");
            assert_eq!(again.header("etag"), tag);
            assert_eq!(app.api.get(&path).await.header("etag"), tag);
            app.api.delete(&path).await.of(204);
            let second = app
                .api
                .post(kind, body.clone())
                .await
                .of(201)
                .header("etag");
            assert_ne!(second, tag);
            let put = app.api.request(Method::PUT, &path).json(&body);
            let delete = app.api.request(Method::DELETE, &path);
            for request in [put, delete] {
                app.api
                    .send(request.header("if-match", &tag))
                    .await
                    .problem(412);
            }
            let request = app
                .api
                .request(Method::DELETE, &path)
                .header("if-match", &second);
            app.api.send(request).await.of(204);
        }
    })
    .await;
}

#[tokio::test]
async fn lists_filter_by_name_status_and_label() {
    with_app(async |app| {
        app.api
            .workflow_with("one", one_step(1), json!({"labels": {"team": "a"}}))
            .await;
        app.api
            .workflow_with("two", one_step(1), json!({"labels": {"team": "b"}}))
            .await;
        let count = async |query: &str| {
            let page = app
                .api
                .get(&format!("workflows?{query}"))
                .await
                .of(200)
                .body;
            page["items"].as_array().unwrap().len()
        };
        assert_eq!(count("").await, 2);
        assert_eq!(count("name=two").await, 1);
        assert_eq!(count("label=team:a").await, 1);
        assert_eq!(count("label=team:c").await, 0);
        assert_eq!(count("status=inactive").await, 0);
    })
    .await;
}

#[tokio::test]
async fn two_changes_at_once_make_two_versions() {
    with_app(async |app| {
        app.api.workflow("w", one_step(0)).await;
        let changes = (1..=8).map(|value| {
            let body = json!({"id": "w", "name": "w", "steps": one_step(value)});
            let api = app.api.clone();
            async move { api.put("workflows/w", body).await.of(200) }
        });
        futures::future::join_all(changes).await;
        let versions = app.api.get("workflows/w/versions").await.of(200).body;
        let mut numbers: Vec<_> = versions["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["version"].as_i64().unwrap())
            .collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    })
    .await;
}

/// A definition with every key that one may have, and that a step may have.
fn everything() -> Value {
    let sign = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    json!({"id": "w", "name": "Everything", "description": "d", "status": "active",
    "labels": {"team": "a"}, "timeout_ms": 60_000, "max_parallel": 3,
    "input_schema": {"type": "object"}, "output": {"total": "${steps.t.output}"},
    "concurrency": {"key": "input.tenant", "limit": 2, "on_limit": "reject"},
    "steps": [
        {"name": "t", "type": "transform", "config": {"value": 1}, "needs": []},
        {"name": "h", "type": "http", "needs": ["t"], "when": "true", "timeout_ms": 5_000,
         "config": {"url": "http://127.0.0.1:9/", "sign": sign}, "on_error": "continue",
         "delivery": "at_most_once", "queue": "slow", "retry": {"max_attempts": 2},
         "compensate": {"type": "webhook", "config": {"url": "http://127.0.0.1:9/", "sign": sign}}},
    ],
    "on_failure": [
        {"name": "alert", "type": "webhook", "when": "true", "timeout_ms": 1_000,
         "delivery": "at_least_once", "retry": {"max_attempts": 3},
         "config": {"url": "http://127.0.0.1:9/", "sign": sign}},
    ]})
}

#[tokio::test]
async fn all_of_a_definition_comes_back_and_may_be_put_again() {
    with_app(async |app| {
        let sent = everything();
        let made = app.api.post("workflows", sent.clone()).await.of(201);
        assert!(!made.raw.contains("whsec_"), "{}", made.raw);
        let mut shown = sent.clone();
        for secret in [
            "/steps/1/config/sign",
            "/steps/1/compensate/config/sign",
            "/on_failure/0/config/sign",
        ] {
            *shown.pointer_mut(secret).unwrap() = json!("•••");
        }
        let list = app.api.get("workflows").await.of(200).body;
        let got = app.api.get("workflows/w").await.of(200);
        for answer in [&made.body, &list["items"][0], &got.body] {
            for (key, value) in shown.as_object().unwrap() {
                let key = if key == "id" { "slug" } else { key.as_str() };
                assert_eq!(&answer[key], value, "{key}");
            }
        }
        let version = app.api.get("workflows/w/versions/1").await.of(200).body;
        for (key, value) in shown.as_object().unwrap() {
            // What is said of the workflow and not of a version.
            if !["id", "status", "labels"].contains(&key.as_str()) {
                assert_eq!(&version[key.as_str()], value, "{key}");
            }
        }
        // Put back as it came, without what only the server says.
        let mut put = got.body.clone();
        for key in [
            "slug",
            "version",
            "content_hash",
            "created_at",
            "updated_at",
        ] {
            put.as_object_mut().unwrap().remove(key);
        }
        let same = app.api.put("workflows/w", put.clone()).await.of(200);
        assert_eq!(same.body, got.body);
        assert_eq!(same.header("etag"), got.header("etag"));
        put.as_object_mut().unwrap().remove("on_failure");
        let less = app.api.put("workflows/w", put).await.of(200).body;
        assert_eq!(
            (&less["version"], &less["on_failure"], &less["concurrency"]),
            (&json!(2), &json!([]), &sent["concurrency"])
        );
        // One with neither says so, and may be put back as well.
        app.api.workflow("plain", one_step(1)).await;
        let mut plain = app.api.get("workflows/plain").await.of(200).body;
        assert_eq!(
            (&plain["on_failure"], &plain["concurrency"]),
            (&json!([]), &Value::Null)
        );
        for key in [
            "slug",
            "version",
            "content_hash",
            "created_at",
            "updated_at",
        ] {
            plain.as_object_mut().unwrap().remove(key);
        }
        let same = app.api.put("workflows/plain", plain).await.of(200).body;
        assert_eq!(same["version"], 1);
    })
    .await;
}
