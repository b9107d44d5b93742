//! What workers do for each other and for the tables.

use nix::sys::signal::Signal;
use serde_json::json;

use super::{Stage, call, transform};
use crate::harness::Reply;

pub(super) async fn prepare(stage: &Stage) {
    let api = &stage.app.api;
    stage.agent.on("/held", |_| Reply::held());
    api.agent("held", &stage.agent.url("/held")).await;
    api.agent("work", &stage.agent.url("/work")).await;
    api.workflow("held", json!([call("a", "held")])).await;
    let mut on_gpu = call("g", "held");
    on_gpu["queue"] = json!("doomed-gpu");
    api.workflow("gpu", json!([on_gpu])).await;
    api.workflow("quick", json!([transform("s")])).await;
    api.workflow("work", json!([call("a", "work")])).await;
}

/// Another worker is killed, and the one under test frees what it had.
pub(super) async fn rescue(stage: &Stage) {
    let mut runs = Vec::new();
    let mut doomed = stage.process(
        "doomed",
        &["worker", "--name", "doomed", "--queue", "doomed,doomed-gpu"],
        &[],
    );
    doomed.said("ready").await;
    for workflow in ["held", "gpu"] {
        runs.push(stage.starts(workflow, json!({"queue": "doomed"})).await);
    }
    // One for the run, one for the attempt.
    stage.agent.called("/held", 2).await;
    doomed.kill().await;
    stage.agent.release("/held");
    let freed =
        "select count(*) from stepwell.worker where name = 'doomed' and freed_at is not null";
    stage.counts("what it had is freed", freed, 1).await;
    let last = stage.process(
        "last",
        &["worker", "--name", "last", "--queue", "doomed,doomed-gpu"],
        &[],
    );
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
    let mut last = last;
    last.stop().await;
}

/// A queue of which few runs may be driven at a time.
pub(super) async fn limited(stage: &Stage) {
    stage
        .app
        .api
        .put("queues/narrow", json!({"max_running": 1}))
        .await
        .of(200);
    let mut runs = Vec::new();
    for _ in 0..6 {
        runs.push(stage.starts("work", json!({"queue": "narrow"})).await);
    }
    for run in &runs {
        assert_eq!(stage.ends(run).await["status"], "completed");
    }
}

/// One that registers and works from the beginning.
pub(super) async fn lingering(stage: &Stage) {
    let run = stage.starts("work", json!({})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
}

/// The one under test is told to stop.
pub(super) async fn leave(stage: &Stage) {
    let run = stage.starts("work", json!({})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
    stage.app.processes[1].signal(Signal::SIGTERM);
    let gone =
        "select count(*) from stepwell.worker where name = 'tried' and status in ('gone', 'dead')";
    stage.counts("it has left", gone, 1).await;
    let last = stage.another("last");
    last.said("ready").await;
    stage.keep(Some(last));
}

/// An operator lets a worker finish.
pub(super) async fn drain(stage: &Stage) {
    let mut leaving = stage.another("leaving");
    leaving.said("ready").await;
    let id = "select id::text from stepwell.worker where name = 'leaving' and status = 'alive'";
    let id = stage.app.database.text(id).await.unwrap();
    stage.posts(&format!("workers/{id}/drain"), json!({})).await;
    leaving.exit().await;
    let run = stage.starts("quick", json!({})).await;
    assert_eq!(stage.ends(&run).await["status"], "completed");
}
