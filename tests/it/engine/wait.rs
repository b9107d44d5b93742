//! Waiting for a signal.

use serde_json::{Value, json};

use crate::harness::{App, with_app};

async fn waiting(app: &App, more: Value) {
    let mut config = json!({"signal": "go"});
    config
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    app.api
        .workflow(
            "w",
            json!([{"name": "wait", "type": "wait", "config": config}]),
        )
        .await;
}

#[tokio::test]
async fn a_signal_is_the_output() {
    with_app(async |app| {
        waiting(app, json!({})).await;
        let run = app.api.start("w", json!({})).await;
        let shown = app.api.reaches(&run, "waiting").await;
        assert_eq!(shown["blocked_on"]["kind"], "signal", "{shown}");
        assert_eq!(shown["blocked_on"]["detail"], "go", "{shown}");
        assert_eq!(shown["blocked_on"]["until"], Value::Null, "{shown}");
        let parked = "select count(*) from stepwell.job where state = 'parked'";
        assert_eq!(app.database.number(parked).await, 1, "no worker holds it");
        app.api
            .post(&format!("runs/{run}/signals/other"), json!({"payload": 0}))
            .await
            .of(202);
        app.api
            .post(
                &format!("runs/{run}/signals/go"),
                json!({"payload": {"by": "Ada"}}),
            )
            .await
            .of(202);
        let run = app.api.finished(&run).await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("completed"), &json!({"by": "Ada"}))
        );
    })
    .await;
}

#[tokio::test]
async fn a_signal_that_comes_early_is_kept() {
    with_app(async |app| {
        let steps = json!([{"name": "first", "type": "wait", "config": {"signal": "one"}},
            {"name": "second", "type": "wait", "config": {"signal": "two"}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        app.api.reaches(&run, "waiting").await;
        app.api
            .post(&format!("runs/{run}/signals/two"), json!({"payload": 2}))
            .await
            .of(202);
        app.api
            .post(&format!("runs/{run}/signals/one"), json!({"payload": 1}))
            .await
            .of(202);
        let done = app.api.finished(&run).await;
        assert_eq!(
            (&done["status"], &done["output"]),
            (&json!("completed"), &json!(2)),
            "{done}"
        );
        assert_eq!(app.api.step(&run, "first").await["output"], 1);
    })
    .await;
}

#[tokio::test]
async fn a_signal_before_the_run_began_is_kept() {
    with_app(async |app| {
        waiting(app, json!({})).await;
        let soon = chrono::Utc::now() + chrono::TimeDelta::milliseconds(1_500);
        let run = app
            .api
            .start_with("w", json!({"run_at": soon.to_rfc3339()}))
            .await;
        app.api
            .post(
                &format!("runs/{run}/signals/go"),
                json!({"payload": "early"}),
            )
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["output"], "early");
    })
    .await;
}

#[tokio::test]
async fn nobody_signals_in_time() {
    with_app(async |app| {
        waiting(app, json!({"timeout_ms": 200})).await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["wait=timed_out"]
        );
        let config = json!({"signal": "go", "timeout_ms": 200, "on_timeout": "continue"});
        app.api
            .workflow(
                "c",
                json!([{"name": "wait", "type": "wait", "config": config}]),
            )
            .await;
        let run = app.api.execute("c", json!({})).await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("completed"), &Value::Null),
            "{run}"
        );
    })
    .await;
}

#[tokio::test]
async fn each_of_many_waiting_runs_is_woken_by_its_own_signal() {
    with_app(async |app| {
        waiting(app, json!({})).await;
        let mut runs = Vec::new();
        for _ in 0..20 {
            runs.push(app.api.start("w", json!({})).await);
        }
        for run in &runs {
            app.api.reaches(run, "waiting").await;
        }
        for run in &runs {
            app.api
                .post(&format!("runs/{run}/signals/go"), json!({"payload": run}))
                .await
                .of(202);
        }
        for run in &runs {
            assert_eq!(app.api.finished(run).await["output"], json!(run));
        }
    })
    .await;
}
