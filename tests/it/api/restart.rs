//! The database was gone and is back: the next request goes well.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{App, PATIENCE, until};

/// Longer than the API trusts a connection, shorter than any restart of Postgres takes.
const RESTART: Duration = Duration::from_millis(150);

/// Every connection of the app breaks, as when Postgres restarts; returns when all are gone.
async fn cut(app: &App) {
    let others = "from pg_stat_activity
        where datname = current_database() and application_name like 'stepwell %'";
    let pids = app
        .database
        .text(&format!(
            "select coalesce(string_agg(pid::text, ','), '0') from
             (select pid, pg_terminate_backend(pid) {others}) cut"
        ))
        .await
        .unwrap();
    until("the connections are gone", PATIENCE, async || {
        let left = format!("select count(*) {others} and pid in ({pids})");
        (app.database.number(&left).await == 0).then_some(())
    })
    .await;
    tokio::time::sleep(RESTART).await;
}

#[tokio::test]
async fn the_first_request_after_the_database_is_back_goes_well() {
    let app = App::separate(0, &[]).await;
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", steps.clone()).await;
    let (one, many) = (
        json!({"workflow": "w"}),
        json!({"runs": [{"workflow": "w"}]}),
    );
    for round in 0..8 {
        // Connections in use until just now are the ones that would be trusted.
        for _ in 0..4 {
            app.api.post("runs", one.clone()).await.of(202);
        }
        cut(&app).await;
        app.api.post("runs", one.clone()).await.of(202);
        cut(&app).await;
        app.api.post("runs/batch", many.clone()).await.of(202);
        cut(&app).await;
        let body = json!({"name": format!("a{round}"), "url": "http://127.0.0.1:9/"});
        let agent = app.api.post("agents", body).await.of(201).text("/id");
        cut(&app).await;
        let body = json!({"id": format!("w{round}"), "name": "w", "steps": steps});
        app.api.post("workflows", body).await.of(201);
        cut(&app).await;
        app.api.get(&format!("agents/{agent}")).await.of(200);
        cut(&app).await;
        let answer = app.api.get("/health").await.of(200);
        assert_eq!(answer.body["database"], Value::from("connected"));
    }
    let runs = "select count(*) from stepwell.run";
    assert_eq!(app.database.number(runs).await, 8 * 6);
    app.finish().await;
}
