//! Another master key, over more secrets than one batch takes.

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::command;
use crate::events_out::receiver::is_signed;
use crate::harness::{Agent, App, PATIENCE, Process, until};

/// Of each kind: a whole batch of 200, and one more.
const EACH: usize = 201;
/// Requests at once.
const HANDS: usize = 8;
const OLD_KEY: &str = "5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f";
const NEW_KEY: &str = "6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Makes many of a kind.
async fn make(app: &App, kind: &str, body: impl Fn(usize) -> Value) {
    let posts = (0..EACH).map(|n| app.api.post(kind, body(n)));
    let posts = futures::stream::iter(posts).buffer_unordered(HANDS);
    posts.for_each(async |answer| drop(answer.of(201))).await;
}

async fn make_secrets(app: &App, hook: &Agent) {
    make(app, "agents", |n| {
        json!({"name": format!("a{n}"), "url": hook.url(&format!("/a{n}")), "auth_type": "bearer",
            "auth_config": {"token": format!("token-{n}")}})
    })
    .await;
    make(app, "workflows", |n| {
        let sign = json!({"url": hook.url(&format!("/w{n}")), "sign": SECRET});
        let call = json!({"name": "call", "type": "agent", "config": {"agent": format!("a{n}")}});
        json!({"id": format!("w{n}"), "name": "w", "steps": [call,
            {"name": "tell", "type": "webhook", "config": sign}]})
    })
    .await;
    make(app, "subscriptions", |n| {
        json!({"url": hook.url(&format!("/s{n}")), "event_types": ["stepwell.run.completed"],
            "workflow": format!("w{n}"), "secret": SECRET})
    })
    .await;
}

/// How many secrets of each kind were encrypted anew.
fn rotated(each: usize) -> Value {
    json!({"agents": each, "workflow_versions": each, "subscriptions": each})
}

#[tokio::test]
async fn more_than_a_batch_of_secrets_is_encrypted_anew() {
    let hook = Agent::start().await;
    let mut app = App::separate(0, &[]).await;
    make_secrets(&app, &hook).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{NEW_KEY}\n{OLD_KEY}\n")).unwrap();
    let place = file.path().display().to_string();
    let rotate = ["secret", "--master-key-file", &place, "rotate", "--json"];
    // Two at once do each row once.
    let (one, other) = tokio::join!(command(&app, &rotate), command(&app, &rotate));
    for kind in ["agents", "workflow_versions", "subscriptions"] {
        let done = one[kind].as_u64().unwrap() + other[kind].as_u64().unwrap();
        assert_eq!(done, EACH as u64, "{kind}: {one} and {other}");
    }
    assert_eq!(command(&app, &rotate).await, rotated(0));
    let batches = "select count(*) from stepwell.audit where action = 'secret.rotated'";
    let records = app.database.number(batches).await;
    assert!(records >= 6, "a record for each batch, not {records}");
    let counted = "select sum((after ->> 'count')::int) from stepwell.audit
                   where action = 'secret.rotated'";
    assert_eq!(app.database.number(counted).await, 3 * EACH as i64);
    // Processes that have the new key alone read all of them: the first of a batch and the last.
    app.processes[0].stop().await;
    let mut app = app.with_settings(&[("STEPWELL_MASTER_KEY", NEW_KEY)]);
    app.api().await;
    app.worker();
    for n in [0, EACH / 2, EACH - 1] {
        let run = app.api.execute(&format!("w{n}"), json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        let call = hook.called(&format!("/a{n}"), 1).await;
        assert_eq!(call.header("authorization"), format!("Bearer token-{n}"));
        for path in [format!("/w{n}"), format!("/s{n}")] {
            assert!(is_signed(&hook.called(&path, 1).await, SECRET), "{path}");
        }
    }
    app.finish().await;
}

#[tokio::test]
async fn a_rotation_that_broke_off_is_started_again() {
    let hook = Agent::start().await;
    let app = App::separate(0, &[]).await;
    make_secrets(&app, &hook).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), format!("{NEW_KEY}\n{OLD_KEY}\n")).unwrap();
    let place = file.path().display().to_string();
    let rotate = ["secret", "--master-key-file", &place, "rotate", "--json"];
    // Somebody holds a row of the second batch: the first is done, and then it is killed.
    let mut holder = app.database.pool.begin().await.unwrap();
    sqlx::query("select from stepwell.agent order by id desc limit 1 for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    let variables = app.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let mut broken_off = Process::spawn("rotate", &rotate, &variables);
    let batches = "select count(*) from stepwell.audit where action = 'secret.rotated'";
    until("the first batch is done", PATIENCE, async || {
        (app.database.number(batches).await == 1).then_some(())
    })
    .await;
    broken_off.kill().await;
    holder.rollback().await.unwrap();
    let rest = command(&app, &rotate).await;
    let mut expected = rotated(EACH);
    expected["agents"] = json!(1);
    assert_eq!(rest, expected);
    app.finish().await;
}
