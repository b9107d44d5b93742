//! A worker that was thought dead and wakes up writes nothing.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, PATIENCE, Reply, until};

#[tokio::test]
async fn a_frozen_worker_that_wakes_up_is_fenced() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}},
        {"name": "wait", "type": "wait", "config": {"signal": "go"}}]);
    app.api.workflow("w", steps).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    app.processes[1].signal(Signal::SIGSTOP);
    let frozen = app
        .database
        .text("select id::text from stepwell.worker")
        .await
        .unwrap();
    app.worker();
    agent.called("/a", 2).await;
    // Both have the answer now; only the second may say so.
    agent.release("/a");
    app.api.reaches(&run, "waiting").await;
    let owner = "select worker_id::text from stepwell.step where name = 's'";
    let before = app.api.audit(&run).await;
    assert_ne!(
        app.database.text(owner).await.as_deref(),
        Some(frozen.as_str())
    );
    app.processes[1].signal(Signal::SIGCONT);
    let back = "select count(*) from stepwell.worker where status = 'alive'";
    until("the fenced worker registers anew", PATIENCE, async || {
        (app.database.number(back).await == 2).then_some(())
    })
    .await;
    assert_eq!(app.api.audit(&run).await, before, "it wrote nothing");
    assert_ne!(
        app.database.text(owner).await.as_deref(),
        Some(frozen.as_str())
    );
    app.api
        .post(&format!("runs/{run}/signals/go"), json!({}))
        .await
        .of(202);
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    // And works again under its new name.
    app.processes[2].kill().await;
    agent.on("/a", |_| Reply::ok());
    let run = app.api.start("w", json!({})).await;
    app.api.reaches(&run, "waiting").await;
    app.api
        .post(&format!("runs/{run}/signals/go"), json!({}))
        .await
        .of(202);
    app.api.finished(&run).await;
    app.finish().await;
}
