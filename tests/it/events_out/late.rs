//! What goes out late says what was true when it happened.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Executor as _;

use super::receiver::{SECRET, event, subscribe};
use crate::harness::{Agent, App, PATIENCE, Reply, until, with_app};

/// Holds the row of the outbox, and waits until whoever reads the trail waits for it: what happens from now on
/// is read when the transaction is over.
pub(super) async fn hold_outbox(app: &App) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut holder = app.database.pool.begin().await.unwrap();
    holder
        .execute("select from stepwell.outbox for update")
        .await
        .unwrap();
    until("the outbox waits", PATIENCE, async || {
        let waits = "select count(*) from pg_stat_activity where datname = current_database()
                     and wait_event_type = 'Lock' and query like '%update stepwell.outbox%'";
        (app.database.number(waits).await > 0).then_some(())
    })
    .await;
    holder
}

/// In whole milliseconds, as the API tells times.
pub(super) fn at(value: &Value) -> i64 {
    let time: DateTime<Utc> = value
        .as_str()
        .unwrap_or_else(|| panic!("{value}"))
        .parse()
        .unwrap();
    time.timestamp_millis()
}

#[tokio::test]
async fn both_ends_of_a_run_that_was_retried_are_told_as_they_were() {
    with_app(async |app| {
        let agent = Agent::start().await;
        app.api.agent("shaky", &agent.url("/shaky")).await;
        agent.fails("/shaky", 1, Reply::Json(400, json!({"no": 1})));
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "shaky"}}]);
        app.api
            .workflow_with("w", steps, json!({"output": {"done": true}}))
            .await;
        let heard = json!([
            "stepwell.run.failed",
            "stepwell.run.completed",
            "stepwell.run.retry_requested"
        ]);
        subscribe(app, &agent.url("/hook"), heard).await;

        let holder = hold_outbox(app).await;
        let id = app.api.start("w", json!({})).await;
        let failed = app.api.finished(&id).await;
        assert_eq!(failed["status"], "failed", "{failed}");
        app.api
            .post(&format!("runs/{id}/retry"), json!({}))
            .await
            .of(202);
        let completed = app.api.finished(&id).await;
        assert_eq!(completed["status"], "completed", "{completed}");
        holder.rollback().await.unwrap();

        agent.called("/hook", 3).await;
        let calls = agent.calls("/hook");
        let told = |kind: &str| {
            let events = calls.iter().map(|call| event(call, SECRET));
            let mut found: Vec<_> = events.filter(|event| event["type"] == kind).collect();
            assert_eq!(found.len(), 1, "{kind}: {calls:?}");
            found.remove(0)["data"].clone()
        };
        let (first, second) = (told("stepwell.run.failed"), told("stepwell.run.completed"));
        for (told, run, generation) in [(&first, &failed, 1), (&second, &completed, 2)] {
            assert_eq!(told["generation"], generation, "{told}");
            assert_eq!(told["error"], run["error"], "{told}");
            assert_eq!(told["output"], run["output"], "{told}");
            for time in ["started_at", "finished_at"] {
                assert_eq!(at(&told[time]), at(&run[time]), "{time}: {told} {run}");
            }
        }
        assert!(
            first["error"]["message"].is_string() && first["output"].is_null(),
            "{first}"
        );
        assert_eq!(second["output"], json!({"done": true}));
        assert_eq!(told("stepwell.run.retry_requested")["generation"], 2);
    })
    .await;
}
