//! No event is lost, whatever dies; what is sent twice carries the same id.

use std::collections::{HashMap, HashSet};

use serde_json::json;

use super::receiver::{SECRET, event, quick, subscribe, told_of};
use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, PATIENCE, Reply, until};

const RUNS: usize = 60;

#[tokio::test]
async fn a_killed_sender_loses_no_event() {
    let mut app = App::separate(2, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    quick(&app, "quick").await;
    // The first is held until its sender is dead: nobody knows whether it arrived.
    agent.on("/hook", |call| {
        if call.number <= 4 {
            Reply::held()
        } else {
            Reply::ok()
        }
    });
    subscribe(&app, &agent.url("/hook"), json!(["stepwell.run.completed"])).await;
    let mut runs = Vec::new();
    for n in 0..RUNS / 2 {
        runs.push(app.api.start("quick", json!({"n": n})).await);
    }
    agent.called("/hook", 1).await;
    for worker in [1, 2] {
        app.processes[worker].kill().await;
    }
    for n in RUNS / 2..RUNS {
        runs.push(app.api.start("quick", json!({"n": n})).await);
    }
    app.worker();
    agent.release("/hook");
    told_of(&agent, "/hook", &runs).await;
    until("every delivery is settled", PATIENCE, async || {
        let open = "select count(*) from stepwell.delivery where status <> 'delivered'";
        (app.database.number(open).await == 0).then_some(())
    })
    .await;
    let calls = agent.calls("/hook");
    let mut by_run: HashMap<String, HashSet<String>> = HashMap::new();
    for call in &calls {
        let told = event(call, SECRET);
        let subject = told["subject"].as_str().unwrap().to_owned();
        by_run
            .entry(subject)
            .or_default()
            .insert(told["id"].to_string());
    }
    assert_eq!(by_run.len(), RUNS);
    assert!(
        by_run.values().all(|ids| ids.len() == 1),
        "one id for each: {by_run:?}"
    );
    assert!(calls.len() > RUNS, "what was in flight was sent again");
    let deliveries = app
        .database
        .number("select count(*) from stepwell.delivery")
        .await;
    assert_eq!(
        deliveries,
        i64::try_from(RUNS).unwrap(),
        "each event goes out once"
    );
    app.finish().await;
}

#[tokio::test]
async fn events_from_before_the_first_worker_and_after_a_rest_are_told() {
    let mut app = App::separate(0, &[]).await;
    let agent = Agent::start().await;
    quick(&app, "quick").await;
    subscribe(
        &app,
        &agent.url("/hook"),
        json!(["stepwell.run.*", "stepwell.agent.created"]),
    )
    .await;
    let run = app.api.start("quick", json!({"n": 1})).await;
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    app.api.agent("scorer", "http://127.0.0.1:9/").await;
    app.worker();
    let types = [
        "stepwell.agent.created",
        "stepwell.run.cancelled",
        "stepwell.run.created",
    ];
    until("all of it is told", PATIENCE, async || {
        let mut told: Vec<_> = agent
            .calls("/hook")
            .iter()
            .map(|c| c.body["type"].as_str().unwrap().to_owned())
            .collect();
        told.sort();
        (told == types).then_some(())
    })
    .await;
    app.finish().await;
}
