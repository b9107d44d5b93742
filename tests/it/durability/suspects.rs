//! A run that kills its worker fails as poisoned, and takes nobody with it.

use serde_json::json;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Reply};

/// Runs beside the bad one.
const INNOCENT: usize = 20;
/// Steps of each.
const STEPS: usize = 24;
/// Workers that die besides, for reasons of their own.
const OTHER_DEATHS: usize = 2;

#[tokio::test]
async fn a_bad_run_poisons_itself_alone() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/bad", |_| Reply::Never);
    agent.on("/slow", |_| Reply::held());
    for name in ["bad", "ok", "slow"] {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
    }
    let call = |step: String, name: &str| json!({"name": step, "type": "agent", "config": {"agent": name}});
    let steps: Vec<_> = (0..STEPS)
        .map(|n| call(format!("s{n}"), if n % 4 == 3 { "slow" } else { "ok" }))
        .collect();
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
    for death in 1..=3 {
        agent.called("/bad", death).await;
        app.processes[worker].kill().await;
        worker = app.worker();
        // What is in flight by now may end, so that there is progress before the next death.
        agent.release_first("/slow", agent.calls("/slow").len());
    }
    let poisoned = app.api.finished(&bad).await;
    assert_eq!(poisoned["status"], "failed", "{poisoned}");
    assert_eq!(poisoned["error"]["type"], "poisoned", "{poisoned}");
    assert_eq!(agent.calls("/bad").len(), 3, "three deaths, and no more");
    for _ in 0..OTHER_DEATHS {
        let called = agent.calls("/slow").len();
        agent.release_first("/slow", called);
        agent.called("/slow", called + 1).await;
        app.processes[worker].kill().await;
        worker = app.worker();
    }
    agent.on("/slow", |_| Reply::ok());
    agent.release("/slow");
    for run in &innocent {
        let done = app.api.finished(run).await;
        assert_eq!(done["status"], "completed", "{done}");
    }
    let suspects = "select count(*) from stepwell.job where deaths > 0";
    assert_eq!(app.database.number(suspects).await, 0);
    app.finish().await;
}
