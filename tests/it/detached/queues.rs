//! Attempts that workers of another queue make, and maps that many workers share.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::waits_for;
use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, PATIENCE, Reply, until};

fn worker(app: &mut App, name: &str, queue: &str) -> usize {
    app.spawn(name, &["worker", "--name", name, "--queue", queue])
}

fn on_gpu(more: Value) -> Value {
    let mut step = json!({"name": "s", "type": "agent", "config": {"agent": "a"}, "queue": "gpu"});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    json!([step])
}

#[tokio::test]
async fn a_step_is_made_by_a_worker_of_its_queue() {
    let mut app = App::separate(1, &[]).await;
    let agent = Agent::start().await;
    agent.fails("/a", 1, Reply::Json(503, json!({})));
    app.api.agent("a", &agent.url("/a")).await;
    app.api.workflow("w", on_gpu(json!({}))).await;
    let run = app.api.start("w", json!({})).await;
    let step = waits_for(&app, &run, "s", "queue").await;
    assert_eq!(step["blocked_on"]["detail"], "gpu");
    assert!(agent.all().is_empty(), "nobody of that queue is there");
    worker(&mut app, "gpu", "gpu");
    let done = app.api.finished(&run).await;
    assert_eq!(done["output"], json!({"ok": true}), "{done}");
    assert_eq!(app.api.step(&run, "s").await["attempt"], 2);
    assert_eq!(agent.calls("/a")[1].body["attempt"], 2);
    app.finish().await;
}

#[tokio::test]
async fn a_cancel_aborts_what_another_worker_makes() {
    let mut app = App::separate(1, &[]).await;
    worker(&mut app, "gpu", "gpu");
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::Never);
    app.api
        .agent_with("a", &agent.url("/a"), json!({"cancel": true}))
        .await;
    app.api.workflow("w", on_gpu(json!({}))).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    let making = until("the step runs there", PATIENCE, async || {
        let step = app.api.step(&run, "s").await;
        (step["status"] == "running").then_some(step)
    })
    .await;
    assert_eq!(making["blocked_on"], Value::Null, "{making}");
    let worker = making["worker"].as_str().unwrap();
    let worker = app.api.get(&format!("workers/{worker}")).await.of(200).body;
    assert_eq!(worker["name"], "gpu");
    app.api
        .post(&format!("/api/v1/runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    let asked = Instant::now();
    agent.aborted("/a", 1).await;
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(1), "aborted after {took:?}");
    assert_eq!(
        agent.called(&format!("/a/runs/{run}"), 1).await.method,
        "DELETE"
    );
    assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    app.finish().await;
}

#[tokio::test]
async fn a_dead_workers_attempt_is_made_again_or_lost() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    let first_never = |call: &crate::harness::Call| match call.number {
        1 => Reply::Never,
        _ => Reply::ok(),
    };
    agent.on("/a", first_never);
    agent.on("/b", first_never);
    app.api.agent("a", &agent.url("/a")).await;
    app.api.agent("b", &agent.url("/b")).await;
    app.api.workflow("again", on_gpu(json!({}))).await;
    let once = json!({"delivery": "at_most_once", "config": {"agent": "b"}});
    app.api.workflow("once", on_gpu(once)).await;
    let again = app.api.start("again", json!({})).await;
    let once = app.api.start("once", json!({})).await;
    let gpu = worker(&mut app, "gpu", "gpu");
    agent.called("/a", 1).await;
    agent.called("/b", 1).await;
    app.processes[gpu].kill().await;
    worker(&mut app, "gpu2", "gpu");
    let done = app.api.finished(&again).await;
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(
        app.api.step(&again, "s").await["attempt"],
        1,
        "it is the same attempt"
    );
    let done = app.api.finished(&once).await;
    assert_eq!(done["error"]["type"], "lost", "{done}");
    assert_eq!((agent.calls("/a").len(), agent.calls("/b").len()), (2, 1));
    app.finish().await;
}

/// A map over so many items that any worker makes.
async fn map(app: &App, agent: &Agent, items: usize) {
    app.api.agent("a", &agent.url("/a")).await;
    let step = json!({"type": "agent", "config": {"agent": "a", "input": "${item}"}});
    let map = json!({"name": "m", "type": "map", "config": {
        "items": format!("{:?}", (0..items).collect::<Vec<_>>()), "step": step,
        "max_parallel": 40, "distribute": true}});
    app.api.workflow("w", json!([map])).await;
}

/// The workers that have taken attempts, by what they log.
fn took_part(app: &App) -> BTreeSet<String> {
    let processes = app.processes.iter().skip(1);
    processes
        .filter(|process| process.log().contains("took attempts"))
        .map(|process| process.name.clone())
        .collect()
}

#[tokio::test]
async fn a_map_is_shared_by_two_workers() {
    let app = App::separate(2, &[("STEPWELL_LOG", "info,stepwell=debug")]).await;
    let agent = Agent::start().await;
    agent.on("/a", |call| Reply::Json(200, call.body["input"].clone()));
    map(&app, &agent, 200).await;
    let mut runs = 0;
    // A worker that is quick while the other has only just started may make all of one run's.
    until("both workers take part", PATIENCE, async || {
        let done = app.api.execute("w", json!({})).await;
        assert_eq!(done["status"], "completed", "{done}");
        assert_eq!(done["output"], json!((0..200).collect::<Vec<_>>()));
        runs += 1;
        assert_eq!(agent.calls("/a").len(), 200 * runs);
        (took_part(&app).len() == 2).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_map_outlives_a_killed_worker() {
    let mut app = App::separate(2, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/a", |call| {
        let reply = Reply::Json(200, call.body["input"].clone());
        if call.number > 60 {
            Reply::Held(Box::new(reply))
        } else {
            reply
        }
    });
    map(&app, &agent, 200).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 90).await;
    let held =
        "select count(distinct worker_id) from stepwell.detached where worker_id is not null";
    until("both have some in hand", PATIENCE, async || {
        (app.database.number(held).await == 2).then_some(())
    })
    .await;
    app.processes[1].kill().await;
    agent.release("/a");
    let done = app.api.finished_within(&run, Duration::from_secs(60)).await;
    assert_eq!(
        done["output"],
        json!((0..200).collect::<Vec<_>>()),
        "{}",
        done["status"]
    );
    assert!(
        agent.calls("/a").len() > 200,
        "what was in hand was made again"
    );
    app.finish().await;
}
