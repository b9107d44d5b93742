//! Credentials of agents come out by nobody: not by what an agent repeats, nor by where it is said to live.

use serde_json::json;

use super::{guarded, key};
use crate::harness::process::EXIT_OK;
use crate::harness::{Agent, Process, Reply, with_app};

const TOKEN: &str = "tok-8d2f61c0-\"quoted\"";

#[tokio::test]
async fn what_an_agent_repeats_is_masked_wherever_it_is_kept() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/debug", |call| {
            let sent = call.header("authorization").to_owned();
            match call.number {
                1 => Reply::Raw(500, Vec::new(), format!("<p>Authorization: {sent}</p>")),
                2 => Reply::Raw(
                    502,
                    Vec::new(),
                    json!({"headers": {"authorization": sent}}).to_string(),
                ),
                _ => Reply::Json(200, json!({"seen": sent, "n": 1})),
            }
        });
        let more = json!({"auth_type": "bearer", "auth_config": {"token": TOKEN}});
        app.api
            .agent_with("debug", &agent.url("/debug"), more)
            .await;
        let retry = json!({"max_attempts": 3, "initial_interval_ms": 1});
        let step =
            json!({"name": "s", "type": "agent", "config": {"agent": "debug"}, "retry": retry});
        app.api.workflow("w", json!([step])).await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["output"]["seen"], "Bearer •••", "{run}");
        let id = run["id"].as_str().unwrap();
        assert_eq!(
            agent.calls("/debug")[0].header("authorization"),
            format!("Bearer {TOKEN}")
        );
        let audit = json!(app.api.audit(id).await).to_string();
        assert!(audit.contains("Authorization: Bearer •••"), "{audit}");
        let kept = [
            audit,
            json!(app.api.steps(id).await).to_string(),
            run.to_string(),
            app.processes[0].log(),
        ];
        for text in kept {
            assert!(!text.contains("8d2f61c0"), "{text}");
        }
    })
    .await;
}

#[tokio::test]
async fn kept_credentials_go_to_no_other_host() {
    with_app(async |app| {
        let (own, other) = (Agent::start().await, Agent::start().await);
        let agent = |url: &str, config| json!({"name": "a", "url": url, "auth_type": "bearer", "auth_config": config});
        let token = json!({"token": TOKEN});
        app.api.post("agents", agent(&own.url("/a"), token.clone())).await.of(201);
        for kept in [json!("•••"), json!(null)] {
            let refused = app.api.put("agents/a", agent(&other.url("/a"), kept.clone())).await;
            refused.problem(422).finds("/auth_config", "given again");
            // On its own host the path may be another.
            app.api.put("agents/a", agent(&own.url("/b"), kept)).await.of(200);
        }
        app.api.put("agents/a", agent(&other.url("/a"), token)).await.of(200);
    })
    .await;
}

#[tokio::test]
async fn a_health_path_leads_nowhere_else() {
    with_app(async |app| {
        let agent =
            |path: &str| json!({"name": "a", "url": "http://127.0.0.1:9/a", "health_path": path});
        for path in [
            "\\host/x",
            "/\\host/x",
            "//host/x",
            "/\t/host/x",
            "/ /host",
            "http://host/",
            "/\u{2028}x",
        ] {
            let refused = app.api.post("agents", agent(path)).await.problem(422);
            refused.finds("/health_path", "must begin with one /");
        }
        app.api.post("agents", agent("/up?deep=1")).await.of(201);
    })
    .await;
}

#[tokio::test]
async fn a_health_path_that_is_stored_already_stays_on_the_agents_host() {
    with_app(async |app| {
        let (own, other) = (Agent::start().await, Agent::start().await);
        let more =
            json!({"auth_type": "bearer", "auth_config": {"token": TOKEN}, "health_path": "/up"});
        app.api.agent_with("a", &own.url("/a"), more).await;
        let host = other.url("");
        let host = host.trim_start_matches("http://").trim_end_matches('/');
        for path in [
            format!("/\\{host}/x"),
            format!("//{host}/x"),
            format!("/\t/{host}/x"),
        ] {
            let changed = format!(
                "update stepwell.agent set health_path = e'{}'",
                path.replace('\\', "\\\\")
            );
            app.database.run(&changed).await;
            let answer = app.api.get("agents/a/health").await;
            assert!(answer.status < 500, "{}", answer.raw);
        }
        assert!(!own.all().is_empty());
        assert!(other.all().is_empty(), "{:?}", other.all().len());
    })
    .await;
}

#[tokio::test]
async fn credentials_stand_in_no_header_of_the_request_itself() {
    with_app(async |app| {
        for header in [
            "Content-Length", "transfer-encoding", "Host", "Idempotency-Key", "Expect", "TE", "Upgrade", "Trailer",
            "Keep-Alive", "Proxy-Authorization", "webhook-id", "Traceparent", "Connection",
        ] {
            let agent = json!({"name": "a", "url": "http://127.0.0.1:9/", "auth_type": "api_key",
                "auth_config": {"key": "k1234567", "header": header}});
            let refused = app.api.post("agents", agent).await.problem(422);
            refused.finds("/auth_config/header", "must not be");
        }
        for header in ["Host", "Proxy-Connection", "webhook-signature", "Expect", "te"] {
            let step = json!({"name": "s", "type": "http", "config": {"url": "http://a/", "headers": {header: "x"}}});
            let refused = app.api.post("workflows", json!({"id": "w", "name": "w", "steps": [step]})).await;
            refused.problem(422).finds(&format!("/steps/0/config/headers/{header}"), "");
        }
    })
    .await;
}

#[tokio::test]
async fn the_command_line_watches_with_its_key_and_approvers_are_named_plainly() {
    let mut app = guarded(&[]).await;
    app.worker();
    let admin = key(&app, "root", "admin").await;
    let (ann, bob) = (
        key(&app, "ann", "operator").await,
        key(&app, "bob", "operator").await,
    );
    let step =
        json!({"name": "ask", "type": "wait", "config": {"approval": {"approvers": ["ann"]}}});
    let api = app.api.with_key(&admin);
    api.workflow("w", json!([step])).await;
    let run = api.start("w", json!({})).await;
    let server = app.api.url("/");
    let variables = [
        ("STEPWELL_SERVER", server.as_str()),
        ("STEPWELL_API_KEY", admin.as_str()),
    ];
    let mut watch = Process::spawn("watch", &["run", "watch", &run], &variables);
    api.reaches(&run, "waiting").await;
    let path = format!("runs/{run}/signals/ask");
    let yes = json!({"payload": {"choice": "approve"}});
    app.api
        .with_key(&bob)
        .post(&path, yes.clone())
        .await
        .problem(403);
    app.api.with_key(&ann).post(&path, yes).await.of(202);
    let status = watch.exit().await;
    assert_eq!(status.code(), Some(EXIT_OK), "{}", watch.log());
    assert_eq!(api.finished(&run).await["output"]["decided_by"], "key:ann");
    app.finish().await;
}
