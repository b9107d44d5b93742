//! A replica that lagged takes over, and a worker lives through it.

use serde_json::json;

use super::away::own_server;
use crate::harness::{Agent, PATIENCE, Reply, until};

#[tokio::test]
async fn a_worker_that_outlives_a_failover_begins_anew_with_what_the_replica_has() {
    let (mut server, mut app) = own_server(1).await;
    let agent = Agent::start().await;
    app.api.agent("a", &agent.url("/a")).await;
    app.api.agent("b", &agent.url("/b")).await;
    agent.on("/a", |_| Reply::held());
    agent.on("/b", |_| Reply::held());
    let steps = json!([{"name": "one", "type": "agent", "config": {"agent": "a"}},
        {"name": "two", "type": "agent", "config": {"agent": "b"}}]);
    app.api.workflow("w", steps).await;
    let run = app.api.start("w", json!({})).await;
    let running = async |step: &str| {
        let count = format!(
            "select count(*) from stepwell.step where name = '{step}' and status = 'running'"
        );
        until("a row says that the step runs", PATIENCE, async || {
            (app.database.number(&count).await == 1).then_some(())
        })
        .await;
    };
    let workers = "select string_agg(status, ' ' order by id) from stepwell.worker";

    // What the replica has: the first step is on its way.
    running("one").await;
    server.kill();
    server.copy();
    server.launch();
    // What it never hears of: that step is over, and the second one is on its way.
    agent.release("/a");
    running("two").await;
    assert_eq!(
        app.database.text(workers).await.as_deref(),
        Some("alive"),
        "a restart is no failover"
    );
    assert_eq!(agent.calls("/a").len(), 1);

    server.fail_over();
    agent.release("/b");
    let done = app.api.finished(&run).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(
        agent.calls("/a").len(),
        2,
        "what is not known was done is done again"
    );
    assert_eq!(
        app.database.text(workers).await.as_deref(),
        Some("gone alive"),
        "nobody waits for the silence of the first"
    );
    assert!(app.processes[1].ended().is_none());
    app.finish().await;
}
