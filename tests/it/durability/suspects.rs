//! A run that kills its worker fails as poisoned, and takes nobody with it.

use std::time::Duration;

use serde_json::json;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Reply};

/// Runs beside the bad one.
const INNOCENT: usize = 20;
/// Steps of each: more than are made between two deaths.
const STEPS: usize = 80;
/// Workers that die besides, for reasons of their own, after so many calls more.
const OTHER_DEATHS: [usize; 2] = [40, 40];
/// How long the agent takes.
const CALL: Duration = Duration::from_millis(50);

#[tokio::test]
async fn a_bad_run_poisons_itself_alone() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/bad", |_| Reply::Never);
    agent.on("/ok", |_| Reply::held());
    for name in ["bad", "ok"] {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
    }
    let call = |step: String, name: &str| json!({"name": step, "type": "agent", "config": {"agent": name}});
    let steps: Vec<_> = (0..STEPS).map(|n| call(format!("s{n}"), "ok")).collect();
    app.api.workflow("innocent", json!(steps)).await;
    app.api
        .workflow("bad", json!([call("bad".to_owned(), "bad")]))
        .await;
    let mut innocent = Vec::new();
    for _ in 0..INNOCENT {
        innocent.push(app.api.start("innocent", json!({})).await);
    }
    let bad = app.api.start("bad", json!({})).await;
    let mut worker = 1;
    // All of them are in one worker's hands, and none has made progress.
    agent.called("/ok", INNOCENT).await;
    agent.called("/bad", 1).await;
    app.processes[worker].kill().await;
    // From now on a call takes so long.
    let answering = async {
        loop {
            tokio::time::sleep(CALL).await;
            agent.release_first("/ok", agent.calls("/ok").len());
        }
    };
    let dying = async {
        worker = app.worker();
        for death in [2, 3] {
            agent.called("/bad", death).await;
            app.processes[worker].kill().await;
            worker = app.worker();
        }
        // Two deaths are not three: an innocent one that was alone with its worker goes on.
        for more in OTHER_DEATHS {
            agent.called("/ok", agent.calls("/ok").len() + more).await;
            app.processes[worker].kill().await;
            worker = app.worker();
        }
        for run in &innocent {
            let done = app.api.finished(run).await;
            assert_eq!(done["status"], "completed", "{done}");
        }
    };
    tokio::select! {
        () = answering => {}
        () = dying => {}
    }
    let poisoned = app.api.finished(&bad).await;
    assert_eq!(poisoned["status"], "failed", "{poisoned}");
    assert_eq!(poisoned["error"]["type"], "poisoned", "{poisoned}");
    assert_eq!(agent.calls("/bad").len(), 3, "three deaths, and no more");
    let suspects = "select count(*) from stepwell.job where deaths > 0";
    assert_eq!(app.database.number(suspects).await, 0);
    app.finish().await;
}
