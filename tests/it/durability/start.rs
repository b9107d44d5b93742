//! When a run began is told once: a word in its first commit and a death after it make no second start.

use serde_json::json;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Reply};

/// The signal is there before the first worker, so the first commit takes it in, and with it writes the job's row.
#[tokio::test]
async fn a_run_that_hears_a_word_at_its_start_begins_once() {
    let mut app = App::separate(0, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/one", |call| match call.number {
        1 => Reply::Never,
        _ => Reply::ok(),
    });
    app.api.agent("one", &agent.url("/one")).await;
    let steps = json!([
        {"name": "one", "type": "agent", "config": {"agent": "one"}},
        {"name": "go", "type": "wait", "config": {"signal": "go"}},
    ]);
    app.api.workflow("w", steps).await;
    let run = app.api.start("w", json!({})).await;
    let signal = format!("runs/{run}/signals/go");
    app.api.post(&signal, json!({})).await.of(202);
    app.worker();
    agent.called("/one", 1).await;
    app.processes[1].kill().await;
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    let actions = app.api.actions(&run).await;
    let starts = actions.iter().filter(|action| *action == "run.started");
    assert_eq!(starts.count(), 1, "{actions:?}");
    app.finish().await;
}
