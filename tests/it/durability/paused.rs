//! Whoever paused or resumed a run was answered with 2xx, so it outlives the worker that heard it.

use serde_json::json;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Reply};

/// A run of two steps, of which the first is in flight.
async fn begun(app: &App, agent: &Agent) -> String {
    agent.on("/one", |call| match call.number {
        1 => Reply::Never,
        _ => Reply::ok(),
    });
    for name in ["one", "two"] {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
    }
    let call = |name: &str| json!({"name": name, "type": "agent", "config": {"agent": name}});
    app.api
        .workflow("w", json!([call("one"), call("two")]))
        .await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/one", 1).await;
    run
}

async fn say(app: &App, run: &str, word: &str, heard: &str) {
    app.api
        .post(&format!("runs/{run}/{word}"), json!({}))
        .await
        .of(202);
    app.api.audit_says(run, heard, "").await;
}

#[tokio::test]
async fn a_pause_outlives_a_killed_worker() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    let run = begun(&app, &agent).await;
    say(&app, &run, "pause", "run.paused").await;
    app.processes[1].kill().await;
    app.worker();
    // Not while the dead worker's lease shows it as running.
    app.api.reaches(&run, "paused").await;
    let paused = "select count(*) from stepwell.job where paused";
    assert_eq!(app.database.number(paused).await, 1);
    let actions = app.api.actions(&run).await;
    assert!(
        !actions.contains(&"run.completed".to_owned()),
        "{actions:?}"
    );
    assert_eq!(agent.calls("/two").len(), 0);
    say(&app, &run, "resume", "run.resumed").await;
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn a_resume_outlives_a_killed_worker_and_a_stopped_one() {
    for killed in [true, false] {
        let settings = [QUICK_DEATHS, &[("STEPWELL_GRACE_SECONDS", "1")]].concat();
        let mut app = App::separate(1, &settings).await;
        let agent = Agent::start().await;
        agent.on("/two", |call| match call.number {
            1 => Reply::Never,
            _ => Reply::ok(),
        });
        agent.on("/one", |_| Reply::held());
        for name in ["one", "two"] {
            app.api.agent(name, &agent.url(&format!("/{name}"))).await;
        }
        let call = |name: &str| json!({"name": name, "type": "agent", "config": {"agent": name}});
        app.api
            .workflow("w", json!([call("one"), call("two")]))
            .await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/one", 1).await;
        say(&app, &run, "pause", "run.paused").await;
        agent.release("/one");
        app.api.reaches(&run, "paused").await;
        say(&app, &run, "resume", "run.resumed").await;
        agent.called("/two", 1).await;
        if killed {
            app.processes[1].kill().await;
        } else {
            app.processes[1].stop().await;
        }
        app.worker();
        assert_eq!(app.api.finished(&run).await["status"], "completed");
        app.finish().await;
    }
}
