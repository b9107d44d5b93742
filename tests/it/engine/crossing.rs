//! A word that crosses with the end of its run.

use serde_json::json;
use sqlx::Executor as _;

use crate::harness::{Agent, PATIENCE, Reply, until, with_app};

#[tokio::test]
async fn a_word_that_crosses_with_the_end_goes_with_it() {
    with_app(async |app| {
        let agent = Agent::start().await;
        app.api.agent("a", &agent.url("/a")).await;
        agent.on("/a", |_| Reply::held());
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
        app.api.workflow("w", steps).await;
        let id = app.api.start("w", json!({})).await;
        agent.called("/a", 1).await;
        // Said, and not yet committed, when the run ends: the end waits for it.
        let mut sender = app.database.pool.begin().await.unwrap();
        let say = format!("select stepwell.signal_run('{id}', 'late', '{{}}')");
        sender.execute(sqlx::AssertSqlSafe(say)).await.unwrap();
        agent.release("/a");
        until("the end waits for the word", PATIENCE, async || {
            let waits = "select count(*) from pg_stat_activity where datname = current_database()
                         and wait_event_type = 'Lock'";
            (app.database.number(waits).await > 0).then_some(())
        })
        .await;
        sender.commit().await.unwrap();
        assert_eq!(app.api.finished(&id).await["status"], "completed");
        let left = "select count(*) from stepwell.inbox";
        assert_eq!(app.database.number(left).await, 0);
    })
    .await;
}
