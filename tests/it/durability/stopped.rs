//! A worker is told to stop.

use serde_json::{Value, json};

use crate::harness::process::EXIT_OK;
use crate::harness::{Agent, App, PATIENCE, Reply, until};

async fn one_step(app: &App, agent: &Agent) {
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}},
        {"name": "t", "type": "transform", "config": {"value": "${steps.s.output}"}}]);
    app.api.workflow("w", steps).await;
}

#[tokio::test]
async fn a_step_that_ends_within_the_grace_period_is_not_repeated() {
    let mut app = App::separate(1, &[]).await;
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    one_step(&app, &agent).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    app.processes[1].signal(nix::sys::signal::Signal::SIGTERM);
    // It claims nothing any more: a second run stays where it is.
    app.processes[1].said("claims nothing more").await;
    let second = app.api.start("w", json!({})).await;
    let draining = "select count(*) from stepwell.worker where status = 'draining'";
    until("operators see that it drains", PATIENCE, async || {
        (app.database.number(draining).await == 1).then_some(())
    })
    .await;
    agent.release("/a");
    assert_eq!(app.processes[1].exit().await.code(), Some(EXIT_OK));
    app.worker();
    for id in [&run, &second] {
        assert_eq!(app.api.finished(id).await["status"], "completed");
    }
    assert_eq!(agent.calls("/a").len(), 2, "one call for each run");
    app.finish().await;
}

#[tokio::test]
async fn what_does_not_end_is_given_back_with_its_attempt() {
    let settings = [("STEPWELL_GRACE_SECONDS", "1")];
    let mut app = App::separate(1, &settings).await;
    let agent = Agent::start().await;
    agent.on("/a", |call| {
        if call.number == 1 {
            Reply::Never
        } else {
            Reply::ok()
        }
    });
    one_step(&app, &agent).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    let second = app.worker();
    // Ready before the first ends, so that it can take over at once.
    app.processes[second].said("ready").await;
    assert_eq!(
        app.processes[1].stop().await.code(),
        Some(EXIT_OK),
        "{}",
        app.processes[1].log()
    );
    let asked = std::time::Instant::now();
    let done = app.api.finished(&run).await;
    assert!(
        asked.elapsed().as_secs() < 5,
        "at once, not after 20 s of silence"
    );
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(
        app.api.step(&run, "s").await["attempt"],
        1,
        "the attempt does not count"
    );
    let attempts: Vec<Value> = agent
        .calls("/a")
        .iter()
        .map(|c| c.body["attempt"].clone())
        .collect();
    assert_eq!(attempts, [json!(1), json!(1)]);
    let gone = "select count(*) from stepwell.worker where status = 'gone'";
    assert_eq!(app.database.number(gone).await, 1);
    app.finish().await;
}

#[tokio::test]
async fn a_second_signal_does_not_lose_anything() {
    let mut app = App::separate(1, &[]).await;
    let agent = Agent::start().await;
    agent.on("/a", |call| {
        if call.number == 1 {
            Reply::Never
        } else {
            Reply::ok()
        }
    });
    one_step(&app, &agent).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    app.processes[1].signal(nix::sys::signal::Signal::SIGTERM);
    app.processes[1].said("claims nothing more").await;
    app.processes[1].kill().await;
    app.database
        .run("update stepwell.worker set seen_at = seen_at - interval '1 hour'")
        .await;
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn many_runs_pass_through_restarts_of_workers() {
    let mut app = App::separate(2, &[("STEPWELL_GRACE_SECONDS", "2")]).await;
    let agent = Agent::start().await;
    one_step(&app, &agent).await;
    let runs: Vec<_> = (0..200).map(|_| json!({"workflow": "w"})).collect();
    let answer = app
        .api
        .post("runs/batch", json!({"runs": runs}))
        .await
        .of(202);
    let ids: Vec<_> = answer.body["items"].as_array().unwrap().clone();
    for round in 0..3 {
        agent.called("/a", 20 * (round + 1)).await;
        let last = app.worker();
        app.processes[last].said("ready").await;
        assert_eq!(app.processes[round + 1].stop().await.code(), Some(EXIT_OK));
    }
    for item in &ids {
        let run = app.api.finished(item["id"].as_str().unwrap()).await;
        assert_eq!(run["status"], "completed");
    }
    assert_eq!(
        agent.calls("/a").len(),
        200,
        "no step was cut off, so none was repeated"
    );
    app.finish().await;
}
