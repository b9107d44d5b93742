//! Schedules, and how they fire.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Stage, transform, wait};
use crate::harness::{PATIENCE, until};

const SECOND: &str = "* * * * * *";

pub(super) async fn prepare(stage: &Stage) {
    stage
        .app
        .api
        .workflow("quick", json!([transform("s")]))
        .await;
    stage.app.api.workflow("patient", wait()).await;
    // They begin when the play does.
    for (name, workflow, overlap) in [
        ("allows", "quick", "allow"),
        ("skips", "patient", "skip"),
        ("cancels", "patient", "cancel_running"),
    ] {
        let body = json!({"name": name, "workflow": workflow, "cron": SECOND, "overlap": overlap,
            "catch_up": 2, "status": "paused"});
        stage.app.api.post("schedules", body).await.of(201);
    }
    let hourly = json!({"name": "hourly", "workflow": "quick", "cron": "0 * * * *", "catch_up": 1,
        "status": "paused"});
    stage.app.api.post("schedules", hourly).await.of(201);
}

async fn times(stage: &Stage, action: &str, schedule: &str) -> i64 {
    let count = format!(
        "select count(*) from stepwell.audit a join stepwell.schedule s on s.id = a.entity_id
         where a.action = 'schedule.{action}' and s.name = '{schedule}'"
    );
    stage.app.database.number(&count).await
}

/// Each kind of overlap; times that were missed; a workflow that is not there any more.
pub(super) async fn fire(stage: &Stage) {
    let api = &stage.app.api;
    let begin = "update stepwell.schedule set status = 'active', next_at = case name when 'hourly'
        then date_trunc('hour', now()) - interval '5 hours' else date_trunc('second', now()) end";
    stage.app.database.run(begin).await;
    for (name, action) in [
        ("allows", "fired"),
        ("skips", "skipped"),
        ("cancels", "fired"),
    ] {
        until(&format!("{name} {action}"), PATIENCE, async || {
            (times(stage, action, name).await >= 2).then_some(())
        })
        .await;
    }
    until("times were missed", PATIENCE, async || {
        (times(stage, "missed", "hourly").await >= 1).then_some(())
    })
    .await;
    stage.wake().await;
    for name in ["allows", "skips", "cancels", "hourly"] {
        api.delete(&format!("schedules/{name}")).await.of(204);
    }
    let filter =
        json!({"filter": {"workflow_id": "patient", "status": ["pending", "running", "waiting"]}});
    until("nobody waits any more", PATIENCE, async || {
        (api.post("runs/cancel", filter.clone()).await.of(200).body["matched"] == 0).then_some(())
    })
    .await;
    let twice = "select count(*) from (select from stepwell.audit where action = 'schedule.fired'
                 group by entity_id, after ->> 'at' having count(*) > 1) d";
    assert_eq!(
        stage.app.database.number(twice).await,
        0,
        "a time was fired twice"
    );
}

/// One is made, changed, paused, fired by hand and deleted.
pub(super) async fn change_schedules(stage: &Stage) {
    let body = |cron: &str| json!({"name": "yearly", "workflow": "quick", "cron": cron});
    stage.posts_once("schedules", body("0 0 1 1 *")).await;
    stage
        .asks(Method::PUT, "schedules/yearly", body("0 0 2 1 *"))
        .await;
    stage.posts("schedules/yearly/pause", Value::Null).await;
    stage.posts("schedules/yearly/resume", Value::Null).await;
    stage.posts_once("schedules/yearly/run", Value::Null).await;
    stage
        .asks(Method::DELETE, "schedules/yearly", Value::Null)
        .await;
    // The API fires as well, where no worker does it first.
    stage
        .posts(
            "schedules",
            json!({"name": "each", "workflow": "quick", "cron": SECOND}),
        )
        .await;
    until("it fires", PATIENCE, async || {
        (times(stage, "fired", "each").await >= 2).then_some(())
    })
    .await;
    stage
        .asks(Method::DELETE, "schedules/each", Value::Null)
        .await;
}
