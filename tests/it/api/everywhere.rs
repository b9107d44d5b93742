//! What holds for every endpoint: problems, request ids, sizes, media types, unknown things.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::with_app;

#[tokio::test]
async fn malformed_json_is_refused_with_its_place() {
    with_app(async |app| {
        for path in [
            "agents",
            "workflows",
            "workflows/validate",
            "runs",
            "runs/batch",
        ] {
            let answer = app
                .api
                .post_raw(path, "application/json", "{,")
                .await
                .problem(400);
            assert!(answer.raw.contains("line 1"), "{path}: {}", answer.raw);
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    with_app(async |app| {
        for body in ["[]", "null", "3", "\"text\"", ""] {
            app.api
                .post_raw("agents", "application/json", body)
                .await
                .problem(400);
        }
        app.api
            .post_raw("agents", "application/json", [0xff, 0xfe, 0x00])
            .await
            .problem(400);
    })
    .await;
}

#[tokio::test]
async fn unknown_fields_are_refused_and_nothing_is_stored() {
    with_app(async |app| {
        let body = json!({"name": "a", "url": "http://127.0.0.1:9", "colour": "red"});
        app.api
            .post("agents", body)
            .await
            .problem(400)
            .finds("/colour", "");
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        let body = json!({"id": "w", "name": "w", "steps": steps, "colour": "red"});
        app.api
            .post("workflows", body)
            .await
            .problem(400)
            .finds("/colour", "");
        let nested =
            json!([{"name": "t", "type": "transform", "config": {"value": 1}, "color": 1}]);
        let body = json!({"id": "w", "name": "w", "steps": nested});
        app.api
            .post("workflows", body)
            .await
            .problem(400)
            .finds("/steps/0/color", "");
        app.api.workflow("w", steps).await;
        let answer = app
            .api
            .post("workflows/w/execute", json!({"input": {}, "colour": 1}))
            .await;
        answer.problem(400).finds("/colour", "");
        let none =
            "select (select count(*) from stepwell.agent) + (select count(*) from stepwell.run)";
        assert_eq!(app.database.number(none).await, 0);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.workflow")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn unknown_query_parameters_are_refused() {
    with_app(async |app| {
        for path in ["agents", "workflows", "runs", "/health", "/version"] {
            let answer = app
                .api
                .get(&format!("{path}?colour=red"))
                .await
                .problem(400);
            assert!(answer.raw.contains("colour"), "{}", answer.raw);
        }
        for path in [
            "agents?limit=0",
            "agents?limit=201",
            "runs?limit=x",
            "runs?offset=10001",
            "workflows?sort_order=up",
            "runs?sort_by=colour",
            "runs?status=done",
            "runs?cursor=nonsense",
            "runs?created_after=yesterday",
            "runs?label=novalue",
        ] {
            let answer = app.api.get(path).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.raw);
            answer.problem(400);
        }
    })
    .await;
}

#[tokio::test]
async fn wrong_types_are_refused_with_their_pointer() {
    with_app(async |app| {
        let body = json!({"name": 5, "url": "http://127.0.0.1:9"});
        app.api
            .post("agents", body)
            .await
            .problem(400)
            .finds("/name", "");
        let body = json!({"name": "a", "url": "http://127.0.0.1:9", "timeout_ms": "long"});
        app.api
            .post("agents", body)
            .await
            .problem(400)
            .finds("/timeout_ms", "");
        let body = json!({"id": "w", "name": "w", "steps": "none"});
        app.api
            .post("workflows", body)
            .await
            .problem(400)
            .finds("/steps", "");
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    with_app(async |app| {
        let id = "01890000-0000-7000-8000-000000000000";
        for path in ["agents", "workflows", "runs"] {
            app.api.get(&format!("{path}/{id}")).await.problem(404);
        }
        for path in [
            "agents/{id}/health",
            "workflows/{id}/versions",
            "workflows/{id}/versions/1",
            "workflows/no-such",
            "runs/{id}/steps",
            "runs/{id}/audit",
        ] {
            app.api.get(&path.replace("{id}", id)).await.problem(404);
        }
        for path in [
            "workflows/{id}/execute",
            "runs/{id}/cancel",
            "runs/{id}/retry",
            "runs/{id}/pause",
            "runs/{id}/resume",
            "runs/{id}/signals/go",
        ] {
            app.api
                .post(&path.replace("{id}", id), json!({}))
                .await
                .problem(404);
        }
        app.api.get("nothing").await.problem(404);
        app.api.get("/nothing").await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn an_id_that_is_none_is_refused() {
    with_app(async |app| {
        for path in [
            "runs/5",
            "runs/not-a-uuid/steps",
            "runs/not-a-uuid/events",
            "agents/not-a-uuid",
            "workflows/not-a-uuid",
            "schedules/not-a-uuid",
            "keys/not-a-uuid",
            "records/not-a-uuid",
            "record-routes/not-a-uuid",
            "subscriptions/not-a-uuid",
            "subscriptions/not-a-uuid/deliveries",
            "workers/not-a-uuid",
        ] {
            app.api.get(path).await.problem(404);
        }
    })
    .await;
}

#[tokio::test]
async fn a_name_in_the_path_that_no_text_can_be_is_refused() {
    with_app(async |app| {
        for path in ["agents", "workflows", "schedules", "queues"] {
            let answer = app.api.get(&format!("{path}/a%00b")).await;
            assert!([400, 404].contains(&answer.status), "{path}: {answer:?}");
            let status = answer.status;
            answer.problem(status);
        }
        let long = "a".repeat(65);
        let poll = format!("external/{long}/poll");
        let answer = app.api.post(&poll, json!({"wait_ms": 30_000})).await;
        let answer = answer.problem(400);
        assert_eq!(answer.body["errors"][0]["parameter"], "topic");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_method_is_405_and_names_the_right_ones() {
    with_app(async |app| {
        let answer = app
            .api
            .send(app.api.request(Method::PATCH, "runs"))
            .await
            .problem(405);
        assert!(answer.header("allow").contains("GET"), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn a_literal_path_is_no_id() {
    with_app(async |app| {
        for path in ["runs/batch", "workflows/validate"] {
            for method in [Method::GET, Method::PUT, Method::DELETE] {
                let answer = app.api.send(app.api.request(method, path)).await;
                let answer = answer.problem(405);
                assert_eq!(answer.header("allow"), "POST", "{path}: {answer:?}");
            }
        }
        let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
        let named = json!({"id": "validate", "name": "a", "steps": steps});
        app.api.post("workflows", named).await.problem(422);
        // The words of other paths are words like any other.
        let named = json!({"id": "batch", "name": "a", "steps": steps});
        app.api.post("workflows", named).await.of(201);
        app.api.get("workflows/batch").await.of(200);
    })
    .await;
}

#[tokio::test]
async fn another_media_type_is_415() {
    with_app(async |app| {
        app.api
            .post_raw("agents", "text/plain", "{}")
            .await
            .problem(415);
        app.api
            .post_raw("runs", "application/xml", "<run/>")
            .await
            .problem(415);
        let charset = "application/json; charset=utf-8";
        let body = "{\"name\": \"a\", \"url\": \"http://127.0.0.1:9\"}";
        app.api.post_raw("agents", charset, body).await.of(201);
    })
    .await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
            )
            .await;
        // The head alone is enough to be refused: a client that sends it all may not read the answer.
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", app.port))
            .await
            .unwrap();
        let head = "POST /api/v1/workflows/w/execute HTTP/1.1\r\nhost: localhost\r\n\
                    content-type: application/json\r\ncontent-length: 5242880\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4_096];
        let count = stream.read(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer[..count]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        let fits = json!({"input": {"text": "x".repeat(500 << 10)}});
        app.api.post("workflows/w/execute", fits).await.of(202);
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
async fn a_request_id_is_kept_or_made() {
    with_app(async |app| {
        let made = app.api.get("agents").await.of(200).header("x-request-id");
        let again = app.api.get("agents").await.of(200).header("x-request-id");
        assert_ne!(made, again);
        let with = |id: &str| {
            app.api
                .request(Method::GET, "agents")
                .header("x-request-id", id)
        };
        let kept = app.api.send(with("My-Request.17")).await.of(200);
        assert_eq!(kept.header("x-request-id"), "My-Request.17");
        let missing = app
            .api
            .request(Method::GET, "nothing")
            .header("x-request-id", "abc");
        assert_eq!(
            app.api.send(missing).await.problem(404).body["request_id"],
            "abc"
        );
        app.api.send(with(&"x".repeat(128))).await.of(200);
        app.api.send(with(&"x".repeat(129))).await.problem(400);
        app.api.send(with("with space")).await.problem(400);
    })
    .await;
}

#[tokio::test]
async fn a_request_id_goes_into_log_audit_and_agent_call() {
    with_app(async |app| {
        let agent = crate::harness::Agent::start().await;
        app.api.agent("a", &agent.url("/a")).await;
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]),
            )
            .await;
        let headers = [("x-request-id", "follow-me")];
        let path = "workflows/w/execute?wait_ms=20000";
        let run = app
            .api
            .post_with(path, &headers, json!({}))
            .await
            .of(200)
            .text("/id");
        let trail = app.api.audit(&run).await;
        assert_eq!(trail[0]["request_id"], "follow-me", "{trail:#?}");
        app.processes[0].said("follow-me").await;
        let call = agent.called("/a", 1).await;
        assert_eq!(call.header("x-request-id"), "follow-me", "{call:?}");
    })
    .await;
}

#[tokio::test]
async fn a_trace_goes_through_to_the_agent() {
    with_app(async |app| {
        let agent = crate::harness::Agent::start().await;
        app.api.agent("a", &agent.url("/a")).await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
        app.api.workflow("w", steps).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-";
        let sent = format!("{trace}00f067aa0ba902b7-01");
        let path = "workflows/w/execute?wait_ms=20000";
        let headers = [("traceparent", sent.as_str())];
        app.api.post_with(path, &headers, json!({})).await.of(200);
        let call = agent.called("/a", 1).await;
        let got = call.header("traceparent");
        assert!(got.starts_with(trace) && got.ends_with("-01"), "{call:?}");
        // A run that nobody traces is a trace of its own, which nobody records.
        let id = app.api.start("w", json!({})).await;
        let call = agent.called("/a", 2).await;
        let got = call.header("traceparent");
        let own = format!("00-{}-", id.replace('-', ""));
        assert!(got.starts_with(&own) && got.ends_with("-00"), "{call:?}");
    })
    .await;
}
