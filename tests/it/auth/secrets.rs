//! What is secret is encrypted at rest, and comes back from nowhere.

use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};

use super::{command, key};
use crate::harness::{Agent, App, Database, PATIENCE, Process, server, until};

const OLD_KEY: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
const NEW_KEY: &str = "6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e";
/// Signing secrets: a step's, another for it, and one inside of a map.
const SIGN: [&str; 3] = [
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "whsec_plJ3nmyCDGBKInavdOK15jsl",
    "whsec_T1RIRVIgU0lHTklORyBTRUNSRVQhISEh",
];
const TOKEN: &str = "agents-bearer-token-4711";
const PASSWORD: &str = "agents-password-0815";

/// Everything that the database holds, as text.
fn dump(database: &Database) -> String {
    let output = Command::new(server::bin().join("pg_dump"))
        .args(["--no-owner", "--dbname"])
        .arg(&database.url)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn definition(hook: &Agent, signs: [&str; 2]) -> Value {
    let post = |sign: &str| json!({"url": hook.url("/hook"), "body": {"n": 1}, "sign": sign});
    json!({"id": "w", "name": "w", "steps": [
        {"name": "call", "type": "agent", "config": {"agent": "till"}},
        {"name": "tell", "type": "webhook", "config": post(signs[0])},
        {"name": "each", "type": "map", "config": {"items": "${[1]}",
            "step": {"type": "webhook", "config": post(signs[1])}}},
    ]})
}

fn verify(hook: &Agent, number: usize, secret: &str) {
    let call = &hook.calls("/hook")[number];
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, call.header(name).parse().unwrap());
    }
    let webhook = standardwebhooks::Webhook::new(secret).unwrap();
    webhook
        .verify(call.body.to_string().as_bytes(), &headers)
        .unwrap();
}

#[tokio::test]
async fn no_secret_is_in_the_database_a_log_or_an_answer() {
    let hook = Agent::start().await;
    let app = App::separate(1, &[super::KEYS, ("STEPWELL_LOG", "debug")]).await;
    let admin = key(&app, "admin", "admin").await;
    let heard = std::cell::RefCell::new(String::new());
    let send = async |method: Method, path: &str, body: Option<&Value>| {
        let mut request = app.api.request(method, path).header("x-api-key", &admin);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = app.api.send(request).await;
        heard.borrow_mut().push_str(&answer.raw);
        answer
    };
    let till = json!({"name": "till", "url": hook.url("/till"), "auth_type": "bearer",
        "auth_config": {"token": TOKEN}});
    let desk = json!({"name": "desk", "url": hook.url("/desk"), "auth_type": "basic",
        "auth_config": {"username": "u", "password": PASSWORD}});
    for agent in [till, desk] {
        send(Method::POST, "agents", Some(&agent)).await.of(201);
    }
    let first = definition(&hook, [SIGN[0], SIGN[2]]);
    let made = send(Method::POST, "workflows", Some(&first)).await.of(201);
    assert_eq!(made.body["steps"][1]["config"]["sign"], "•••");
    assert_eq!(
        made.body["steps"][2]["config"]["step"]["config"]["sign"],
        "•••"
    );
    let hash = made.text("/content_hash");
    // The same again, and what was read sent back, change nothing.
    let same = send(Method::PUT, "workflows/w", Some(&first)).await.of(200);
    let masked = definition(&hook, ["•••", "•••"]);
    let kept = send(Method::PUT, "workflows/w", Some(&masked))
        .await
        .of(200);
    for answer in [&same, &kept] {
        assert_eq!(
            (
                answer.body["version"].as_i64(),
                answer.text("/content_hash")
            ),
            (Some(1), hash.clone())
        );
    }
    // Runs sign with what is kept.
    let run = async || {
        let path = "workflows/w/execute?wait_ms=20000";
        let run = send(Method::POST, path, Some(&json!({"input": {}})))
            .await
            .of(200);
        assert_eq!(run.body["status"], "completed", "{}", run.raw);
        run.text("/id")
    };
    let id = run().await;
    verify(&hook, 0, SIGN[0]);
    verify(&hook, 1, SIGN[2]);
    // Another secret is another version; the masked one stays.
    let second = definition(&hook, [SIGN[1], "•••"]);
    let changed = send(Method::PUT, "workflows/w", Some(&second))
        .await
        .of(200);
    assert_eq!(changed.body["version"], 2);
    assert_ne!(changed.text("/content_hash"), hash);
    run().await;
    verify(&hook, 2, SIGN[1]);
    verify(&hook, 3, SIGN[2]);
    // A mask where nothing is kept.
    let mut odd = definition(&hook, ["•••", "•••"]);
    odd["steps"][1]["name"] = json!("other");
    let odd_put = send(Method::PUT, "workflows/w", Some(&odd))
        .await
        .problem(422);
    assert_eq!(odd_put.pointers(), ["/steps/1/config/sign"]);
    odd["id"] = json!("w2");
    let odd_post = send(Method::POST, "workflows", Some(&odd))
        .await
        .problem(422);
    assert_eq!(
        odd_post.pointers(),
        ["/steps/1/config/sign", "/steps/2/config/step/config/sign"]
    );
    // Wrong in many ways, with secrets among it.
    for broken in [
        json!(SIGN),
        json!({"k": SIGN[0]}),
        json!(format!("${{ {} + }}", SIGN[0])),
    ] {
        let mut wrong = definition(&hook, ["•••", "•••"]);
        wrong["steps"][1]["config"]["sign"] = broken;
        let answer = send(Method::PUT, "workflows/w", Some(&wrong)).await;
        assert!(matches!(answer.status, 400 | 422), "{}", answer.raw);
        send(Method::POST, "workflows/validate", Some(&wrong))
            .await
            .of(200);
    }
    for path in [
        "agents",
        "agents/till",
        "workflows",
        "workflows/w",
        "workflows/w/versions",
        "workflows/w/versions/1",
        "runs",
        &format!("runs/{id}"),
        &format!("runs/{id}/steps"),
        &format!("runs/{id}/audit"),
        "keys",
    ] {
        send(Method::GET, path, None).await.of(200);
    }
    let heard = heard.into_inner();
    let logs: String = app.processes.iter().map(Process::log).collect();
    let dump = dump(&app.database);
    assert!(dump.contains("key.created") && logs.contains("answered"));
    for secret in SIGN.iter().chain([&TOKEN, &PASSWORD, &admin.as_str()]) {
        let bare = secret.trim_start_matches("whsec_");
        assert!(!heard.contains(bare), "an answer tells {secret}");
        assert!(!logs.contains(bare), "a log tells {secret}");
        assert!(!dump.contains(bare), "the database tells {secret}");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_master_key_is_replaced_while_processes_run() {
    let hook = Agent::start().await;
    let mut app = App::separate(1, &[]).await;
    let agent = json!({"name": "till", "url": hook.url("/till"), "auth_type": "bearer",
        "auth_config": {"token": TOKEN}});
    app.api.post("agents", agent).await.of(201);
    app.api
        .post("workflows", definition(&hook, [SIGN[0], SIGN[2]]))
        .await
        .of(201);
    let mut missing = Process::spawn(
        "rotate",
        &["secret", "rotate"],
        &[
            ("DATABASE_URL", &app.database.url),
            ("STEPWELL_MASTER_KEY", NEW_KEY),
        ],
    );
    assert_eq!(missing.exit().await.code(), Some(1));
    assert!(
        missing.log().contains("was encrypted under the master key"),
        "{}",
        missing.log()
    );
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(
        file.path(),
        format!("{NEW_KEY}\n# the one before\n{OLD_KEY}\n"),
    )
    .unwrap();
    let place = file.path().display().to_string();
    let rotate = ["secret", "--master-key-file", &place, "rotate", "--json"];
    assert_eq!(
        command(&app, &rotate).await,
        json!({"agents": 1, "workflow_versions": 1})
    );
    assert_eq!(
        command(&app, &rotate).await,
        json!({"agents": 0, "workflow_versions": 0})
    );
    let records =
        "select count(*) from stepwell.audit where action = 'secret.rotated' and actor = 'cli'";
    assert_eq!(app.database.number(records).await, 2);
    // The processes that have the new key alone do as before.
    for process in &mut app.processes {
        process.stop().await;
    }
    let mut app = app.with_settings(&[("STEPWELL_MASTER_KEY", NEW_KEY)]);
    app.api().await;
    app.worker();
    let run = app.api.execute("w", json!({})).await;
    assert_eq!(run["status"], "completed", "{run}");
    let call = until("the agent is called", PATIENCE, async || {
        hook.calls("/till").pop()
    })
    .await;
    assert_eq!(call.header("authorization"), format!("Bearer {TOKEN}"));
    verify(&hook, 0, SIGN[0]);
    app.finish().await;
}
