//! API keys, from their making to their end.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{ask, command, guarded, key, send};
use crate::events::grpc;
use crate::harness::{App, Client, PATIENCE, Process, until};

/// Less than what a process believes without a hint.
const AT_ONCE: Duration = Duration::from_secs(2);

#[tokio::test]
async fn a_key_opens_what_is_closed_without() {
    let app = guarded(&[]).await;
    let made = command(
        &app,
        &[
            "key", "create", "--name", "first", "--role", "admin", "--json",
        ],
    )
    .await;
    assert_eq!(
        (&made["name"], &made["role"]),
        (&json!("first"), &json!("admin"))
    );
    let admin = made["key"].as_str().unwrap();
    let none = app.api.get("runs").await.problem(401);
    assert!(
        none.header("www-authenticate").starts_with("Bearer"),
        "{none:?}"
    );
    app.api.get("nowhere").await.problem(401);
    ask(&app.api, Method::GET, "nowhere", admin)
        .await
        .problem(404);
    for open in [
        "/health",
        "/health/live",
        "/health/ready",
        "/version",
        "/openapi.json",
        "/docs/",
        "/redoc",
        "/metrics",
        "/",
    ] {
        app.api.get(open).await.of(200);
    }
    ask(&app.api, Method::GET, "runs", admin).await.of(200);
    let bearer = app.api.request(Method::GET, "runs");
    app.api.send(bearer.bearer_auth(admin)).await.of(200);
    // However a path is written, its route is what is asked for.
    for path in [
        "//api/v1/runs",
        "/api//v1/runs",
        "/api/v1/runs/",
        "/%61pi/v1/runs",
    ] {
        let answer = app.api.get(path).await;
        assert!(matches!(answer.status, 401 | 404), "{path}: {}", answer.raw);
    }
    // The actor is in the audit record, and in what it made.
    let body = json!({"id": "w", "name": "w", "steps": [{"name": "t", "type": "transform", "config": {"value": 1}}]});
    send(&app.api, Method::POST, "workflows", admin, &body)
        .await
        .of(201);
    let version = ask(&app.api, Method::GET, "workflows/w/versions/1", admin)
        .await
        .of(200);
    assert_eq!(version.body["created_by"], "key:first");
    let run = send(
        &app.api,
        Method::POST,
        "workflows/w/execute",
        admin,
        &json!({}),
    )
    .await
    .of(202);
    assert_eq!(run.body["triggered_by"], "key:first");
    let actor = "select actor from stepwell.audit where action = 'workflow.created'";
    assert_eq!(app.database.text(actor).await.as_deref(), Some("key:first"));
    // A note of its use, beside the request.
    until("its use is noted", PATIENCE, async || {
        let noted = "select count(*) from stepwell.api_key where last_used_at is not null";
        (app.database.number(noted).await == 1).then_some(())
    })
    .await;
    let kept = format!(
        "select count(*) from stepwell.api_key where api_key::text like '%{}%'",
        &admin[14..]
    );
    assert_eq!(app.database.number(&kept).await, 0, "only its hash is kept");
    app.finish().await;
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_by_every_process() {
    let mut app = guarded(&[]).await;
    let second = app.another_api().await;
    let admin = key(&app, "admin", "admin").await;
    let apis = [app.api.clone(), second];
    for (n, by_command) in [(1, false), (2, true)] {
        let name = format!("k{n}");
        let doomed = key(&app, &name, "viewer").await;
        for api in &apis {
            ask(api, Method::GET, "runs", &doomed).await.of(200);
        }
        if by_command {
            command(&app, &["key", "revoke", &name, "--json"]).await;
        } else {
            ask(&apis[0], Method::DELETE, &format!("keys/{name}"), &admin)
                .await
                .of(204);
        }
        let since = Instant::now();
        for api in &apis {
            until("the key is refused", AT_ONCE, async || {
                let answer = ask(api, Method::GET, "runs", &doomed).await;
                (answer.status == 401).then_some(())
            })
            .await;
        }
        assert!(since.elapsed() < AT_ONCE);
        let refused = ask(&apis[1], Method::GET, "runs", &doomed)
            .await
            .problem(401);
        assert!(
            refused.text("/detail").contains("revoked"),
            "{}",
            refused.raw
        );
    }
    app.finish().await;
}

/// Opens a stream with a key, and reads its first words.
async fn listen(api: &Client, key: &str) -> reqwest::Response {
    let request = api.request(Method::GET, "events").header("x-api-key", key);
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status().as_u16(), 200);
    assert!(response.chunk().await.unwrap().is_some());
    response
}

/// Reads a stream to its end.
async fn ends_within(mut response: reqwest::Response, patience: Duration) {
    let reading = async { while response.chunk().await.unwrap().is_some() {} };
    tokio::time::timeout(patience, reading)
        .await
        .expect("the stream ends");
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_opened_it() {
    let mut app = guarded(&[]).await;
    let mut client = grpc::connect(&app).await;
    let second = app.another_api().await;
    let admin = key(&app, "admin", "admin").await;
    let doomed = key(&app, "doomed", "operator").await;
    let steps = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
    let workflow = json!({"id": "w", "name": "w", "steps": steps});
    send(&app.api, Method::POST, "workflows", &admin, &workflow)
        .await
        .of(201);
    let here = listen(&app.api, &doomed).await;
    let there = listen(&second, &doomed).await;
    let kept = listen(&second, &admin).await;
    let mut call = tonic::Request::new(grpc::order("w", "{}"));
    call.metadata_mut()
        .insert("x-api-key", doomed.parse().unwrap());
    let mut updates = client.execute_workflow(call).await.unwrap().into_inner();
    assert!(grpc::next(&mut updates).await.is_some());
    ask(&app.api, Method::DELETE, "keys/doomed", &admin)
        .await
        .of(204);
    ends_within(here, AT_ONCE).await;
    ends_within(there, AT_ONCE).await;
    let status = tokio::time::timeout(AT_ONCE, async {
        loop {
            if let Err(status) = updates.message().await {
                return status;
            }
        }
    });
    let status = status.await.expect("the stream ends");
    assert_eq!(status.code(), tonic::Code::Unauthenticated, "{status}");

    // One that expires is cut at its time, without a word from anybody.
    let soon = (chrono::Utc::now() + chrono::TimeDelta::seconds(2)).to_rfc3339();
    let body = json!({"name": "short", "role": "viewer", "expires_at": soon});
    let short = send(&app.api, Method::POST, "keys", &admin, &body)
        .await
        .of(201)
        .text("/key");
    ends_within(listen(&app.api, &short).await, PATIENCE).await;
    ask(&app.api, Method::GET, "runs", &short)
        .await
        .problem(401);
    // The others go on.
    let mut kept = kept;
    ask(&app.api, Method::DELETE, "workflows/w", &admin)
        .await
        .of(204);
    let told = async {
        let mut all = String::new();
        while !all.contains("workflow.deleted") {
            all.push_str(std::str::from_utf8(&kept.chunk().await.unwrap().unwrap()).unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, told)
        .await
        .expect("it is still told");
    drop(kept);
    app.finish().await;
}

#[tokio::test]
async fn keys_are_made_listed_and_revoked_over_rest() {
    let app = guarded(&[]).await;
    let admin = key(&app, "admin", "admin").await;
    let body = json!({"name": "ci", "role": "operator", "expires_at": "2999-01-01T00:00:00Z"});
    let with = |name: &'static str| {
        let request = app
            .api
            .request(Method::POST, "keys")
            .header("x-api-key", &admin);
        request.header("idempotency-key", name).json(&body)
    };
    let made = app.api.send(with("one")).await.of(201);
    let secret = made.text("/key");
    assert!(
        secret.starts_with(&made.text("/prefix")) && secret.len() == 47,
        "{}",
        made.raw
    );
    let again = app.api.send(with("one")).await.of(201);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert!(
        again.body["key"].is_null(),
        "it is shown once: {}",
        again.raw
    );
    app.api.send(with("two")).await.problem(409);
    let id = made.text("/id");
    let read = ask(&app.api, Method::GET, &format!("keys/{id}"), &admin)
        .await
        .of(200);
    assert!(
        !read.raw.contains(&secret) && read.body["status"] == "active",
        "{}",
        read.raw
    );
    let list = ask(&app.api, Method::GET, "keys?limit=1&count=true", &admin)
        .await
        .of(200);
    assert_eq!(
        (list.text("/items/0/name"), &list.body["total"]),
        ("ci".into(), &json!(2))
    );
    let next = format!("keys?limit=1&cursor={}", list.text("/next_cursor"));
    let next = ask(&app.api, Method::GET, &next, &admin).await.of(200);
    assert_eq!(next.text("/items/0/name"), "admin");
    // Anonymous, with a key of too small a role, with one: nobody but an administrator.
    app.api.get("keys").await.problem(401);
    let refused = ask(&app.api, Method::GET, "keys", &secret)
        .await
        .problem(403);
    assert!(refused.text("/detail").contains("admin"), "{}", refused.raw);
    ask(&app.api, Method::DELETE, "keys/ci", &admin)
        .await
        .of(204);
    ask(&app.api, Method::DELETE, &format!("keys/{id}"), &admin)
        .await
        .of(204);
    ask(&app.api, Method::DELETE, "keys/nobody", &admin)
        .await
        .problem(404);
    let gone = ask(&app.api, Method::GET, &format!("keys/{id}"), &admin)
        .await
        .of(200);
    assert_eq!(gone.body["status"], "revoked");
    let bad = json!({"name": "a b", "role": "root", "expires_at": "2001-01-01T00:00:00Z"});
    let bad = send(&app.api, Method::POST, "keys", &admin, &bad)
        .await
        .problem(422);
    assert_eq!(bad.pointers(), ["/expires_at", "/name", "/role"]);
    let trail = "select string_agg(action || ' ' || actor, ',' order by sequence)
                 from stepwell.audit where entity_type = 'key' and after->>'name' = 'ci'";
    let trail = app.database.text(trail).await.unwrap();
    assert_eq!(trail, "key.created key:admin,key.revoked key:admin");
    app.finish().await;
}

#[tokio::test]
async fn an_expired_key_is_refused() {
    let app = guarded(&[]).await;
    let viewer = key(&app, "short", "viewer").await;
    ask(&app.api, Method::GET, "runs", &viewer).await.of(200);
    app.database
        .run("update stepwell.api_key set expires_at = now() - interval '1 second'")
        .await;
    // No hint tells of what was written by hand: the age of what is remembered is bounded.
    let refused = until("the key is refused", PATIENCE, async || {
        let answer = ask(&app.api, Method::GET, "runs", &viewer).await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert!(refused.problem(401).text("/detail").contains("expired"));
    app.finish().await;
}

#[tokio::test]
async fn commands_send_a_key() {
    let app: App = guarded(&[]).await;
    let viewer = key(&app, "eyes", "viewer").await;
    let server = app.api.url("/");
    let mut bare = Process::spawn("bare", &["run", "list", "--server", &server], &[]);
    assert_eq!(bare.exit().await.code(), Some(1));
    assert!(bare.log().contains("X-API-Key"), "{}", bare.log());
    for (arguments, variables) in [
        (
            vec!["run", "list", "--server", &server, "--api-key", &viewer],
            vec![],
        ),
        (
            vec!["run", "list", "--server", &server],
            vec![("STEPWELL_API_KEY", viewer.as_str())],
        ),
    ] {
        let mut process = Process::spawn("with", &arguments, &variables);
        assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
    }
    let listed = command(&app, &["key", "list", "--json"]).await;
    assert_eq!(listed[0]["name"], "eyes");
    assert!(!listed.to_string().contains(&viewer));
    for wrong in [
        ["--name", "a b", "--role", "admin"],
        ["--name", "a", "--role", "root"],
    ] {
        let arguments = [&["key", "create"], &wrong[..]].concat();
        let mut process =
            Process::spawn("wrong", &arguments, &[("DATABASE_URL", &app.database.url)]);
        assert_eq!(process.exit().await.code(), Some(2), "{}", process.log());
    }
    app.finish().await;
}
