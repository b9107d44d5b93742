//! Work that a client polls for.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::waits_for;
use crate::harness::{App, PATIENCE, until, with_app};

async fn workflow(app: &App, more: Value) {
    let mut step = json!({"name": "print", "type": "external",
                          "config": {"topic": "press", "input": {"pages": "${input.pages}"}}});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    app.api.workflow("w", json!([step])).await;
}

async fn poll(app: &App, body: Value) -> Vec<Value> {
    let answer = app
        .api
        .post("/api/v1/external/press/poll", body)
        .await
        .of(200);
    answer.body["items"].as_array().unwrap().clone()
}

async fn one(app: &App, lease_ms: u64) -> Value {
    let ask = json!({"wait_ms": 30_000, "worker": "press-1", "lease_ms": lease_ms});
    poll(app, ask).await.pop().expect("an item within the wait")
}

fn at(item: &Value, verb: &str) -> String {
    format!(
        "/api/v1/external/{}/{verb}",
        item["token"].as_str().unwrap()
    )
}

#[tokio::test]
async fn work_is_polled_for_held_and_done() {
    with_app(async |app| {
        workflow(app, json!({})).await;
        assert!(poll(app, json!({})).await.is_empty());
        let begun = Instant::now();
        let (item, run) = tokio::join!(one(app, 60_000), async {
            app.api.start("w", json!({"pages": 12})).await
        });
        assert!(
            begun.elapsed() < Duration::from_secs(25),
            "it is told, not found at the end"
        );
        assert_eq!(
            (
                &item["run_id"],
                &item["step"],
                &item["attempt"],
                &item["input"]
            ),
            (
                &json!(run),
                &json!("print"),
                &json!(1),
                &json!({"pages": 12})
            ),
        );
        let step = waits_for(app, &run, "print", "external").await;
        assert_eq!(step["blocked_on"]["detail"], "press");
        assert!(
            poll(app, json!({"max": 10})).await.is_empty(),
            "it is leased"
        );
        let held = app
            .api
            .post(&at(&item, "heartbeat"), json!({"lease_ms": 600_000}))
            .await
            .of(200);
        assert!(held.text("/lease_until").as_str() > item["lease_until"].as_str().unwrap());
        let token = item["token"].as_str().unwrap();
        assert!(
            !app.processes[0].log().contains(token),
            "the token is in the log"
        );
        let lines = json!({"lines": [{"message": "half way"}]});
        app.api
            .post(&format!("/api/v1/callbacks/{token}/logs"), lines)
            .await
            .of(200);
        let result = json!({"output": {"sheets": 6}});
        app.api
            .post(&at(&item, "complete"), result.clone())
            .await
            .of(200);
        let done = app.api.finished(&run).await;
        assert_eq!(done["output"], json!({"sheets": 6}), "{done}");
        app.api.post(&at(&item, "complete"), result).await.of(200);
        app.api
            .post(&at(&item, "complete"), json!({"output": 1}))
            .await
            .problem(409);
        app.api
            .post(&at(&item, "fail"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&at(&item, "heartbeat"), json!({}))
            .await
            .problem(409);
        let log = app
            .api
            .get(&format!("/api/v1/runs/{run}/logs?step=print"))
            .await
            .of(200);
        assert_eq!(log.body["items"][0]["message"], "half way");
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_is_over_goes_to_another() {
    with_app(async |app| {
        workflow(app, json!({})).await;
        let run = app.api.start("w", json!({"pages": 1})).await;
        let first = one(app, 1_000).await;
        let second = one(app, 60_000).await;
        assert_eq!(first["attempt"], second["attempt"]);
        assert_eq!(first["idempotency_key"], second["idempotency_key"]);
        assert_ne!(first["token"], second["token"]);
        app.api
            .post(&at(&first, "complete"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&at(&first, "heartbeat"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&at(&second, "complete"), json!({"output": 2}))
            .await
            .of(200);
        assert_eq!(app.api.finished(&run).await["output"], 2);
    })
    .await;
}

#[tokio::test]
async fn failures_are_retried_and_time_is_kept() {
    with_app(async |app| {
        let retry = json!({"max_attempts": 2, "initial_interval_ms": 10});
        workflow(app, json!({"retry": retry, "timeout_ms": 2_000})).await;
        let run = app.api.start("w", json!({"pages": 1})).await;
        let item = one(app, 60_000).await;
        app.api
            .post(&at(&item, "fail"), json!({"error": "out of paper"}))
            .await
            .of(200);
        let again = one(app, 60_000).await;
        assert_eq!(again["attempt"], 2);
        let done = app.api.finished(&run).await;
        assert_eq!(done["error"]["type"], "timeout", "{done}");
        app.api
            .post(&at(&again, "complete"), json!({}))
            .await
            .problem(409);
        let other = app.api.start("w", json!({"pages": 1})).await;
        let item = one(app, 60_000).await;
        let fatal = json!({"error": {"message": "jammed", "type": "jam"}, "retryable": false});
        app.api.post(&at(&item, "fail"), fatal).await.of(200);
        let done = app.api.finished(&other).await;
        assert_eq!(
            (&done["error"]["type"], &done["error"]["message"]),
            (&json!("jam"), &json!("jammed"))
        );
    })
    .await;
}

#[tokio::test]
async fn cancelled_and_paused_runs_give_no_work() {
    with_app(async |app| {
        workflow(app, json!({})).await;
        let run = app.api.start("w", json!({"pages": 1})).await;
        waits_for(app, &run, "print", "external").await;
        app.api
            .post(&format!("/api/v1/runs/{run}/pause"), json!({}))
            .await
            .of(202);
        app.api.reaches(&run, "paused").await;
        let paused = "select count(*) from stepwell.job where paused and state <> 'leased'";
        until("the pause is written", PATIENCE, async || {
            (app.database.number(paused).await == 1).then_some(())
        })
        .await;
        assert!(
            poll(app, json!({})).await.is_empty(),
            "a paused run begins nothing"
        );
        app.api
            .post(&format!("/api/v1/runs/{run}/resume"), json!({}))
            .await
            .of(202);
        let item = one(app, 60_000).await;
        app.api
            .post(&format!("/api/v1/runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        app.api.finished(&run).await;
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.detached")
                .await,
            0
        );
        app.api
            .post(&at(&item, "complete"), json!({}))
            .await
            .problem(409);
    })
    .await;
}

#[tokio::test]
async fn what_may_be_done_once_is_lost_with_its_lease() {
    let app = App::separate(1, crate::harness::app::QUICK_DEATHS).await;
    workflow(&app, json!({"delivery": "at_most_once"})).await;
    let run = app.api.start("w", json!({"pages": 1})).await;
    one(&app, 1_000).await;
    let done = app.api.finished(&run).await;
    assert_eq!(done["error"]["type"], "lost", "{done}");
    app.finish().await;
}

#[tokio::test]
async fn what_is_asked_wrongly_is_told() {
    with_app(async |app| {
        let wrong =
            json!({"max": 101, "wait_ms": 60_001, "lease_ms": 5, "worker": "x".repeat(201)});
        let answer = app
            .api
            .post("/api/v1/external/press/poll", wrong)
            .await
            .problem(422);
        assert_eq!(answer.pointers().len(), 4, "{}", answer.raw);
        app.api
            .post("/api/v1/external/nonsense/complete", json!({}))
            .await
            .problem(404);
        app.api
            .post("/api/v1/external/nonsense/heartbeat", json!({}))
            .await
            .problem(404);
        app.api
            .post("/api/v1/external/press/poll", json!({"many": 1}))
            .await
            .problem(400);
    })
    .await;
}
