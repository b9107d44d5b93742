//! E1: 200 listeners of server-sent events, from an event's commit to its receipt: first all of them
//! follow everything, then each follows a run of its own. The time is the one that Postgres wrote into
//! the record, which is a little before the commit and on the same clock.

mod listener;

use std::time::Duration;

use serde_json::json;

use crate::arguments::Extent;
use crate::figures::Figures;
use crate::scene::{Scene, Stage, Worker};
use listener::Listener;

const LISTENERS: f64 = 200.0;
/// Runs that are started while everything is followed.
const RUNS: f64 = 50.0;
/// Events of one of them, a quick step's and its own.
const EVENTS_PER_RUN: usize = 4;
/// The signal is taken in, the step completes, and so does the run.
const EVENTS_AFTER_SIGNAL: usize = 3;
/// Between two starts, or two signals.
const PAUSE: Duration = Duration::from_millis(40);

pub(super) async fn measure(stage: &Stage, extent: Extent, figures: &mut Figures) {
    let mut scene = Scene::set(stage).await;
    scene.chain(1).await;
    let wait = json!([{"name": "ask", "type": "wait", "config": {"signal": "go"}}]);
    scene
        .workflow(&json!({"id": "wait", "name": "wait", "steps": wait}))
        .await;
    // What the old one did would be counted late, and so as work of the new one.
    scene.renew_api().await;
    let worker = Worker::start(&scene, 0).await;
    let (count, runs) = (extent.count(LISTENERS), extent.count(RUNS));
    everything(&scene, count, runs, figures).await;
    single(&scene, count, figures).await;
    worker.end().await;
    scene.retire_api().await;
    scene.strike().await;
}

/// All follow everything.
async fn everything(scene: &Scene, count: usize, runs: usize, figures: &mut Figures) {
    let port = scene.api().port;
    let types = "type=run.created&type=run.started&type=step.completed&type=run.completed";
    let mut listening = Vec::new();
    for _ in 0..count {
        let mut listener = Listener::open(port, &format!("events?{types}")).await;
        listening.push(tokio::spawn(async move {
            listener.latencies(runs * EVENTS_PER_RUN).await
        }));
    }
    // The first reading finds caches cold; it is of no run.
    tokio::time::sleep(PAUSE).await;
    for _ in 0..runs {
        let body = json!({"input": {"user": "Ada"}});
        scene.api().post("workflows/chain1/execute", &body).await;
        tokio::time::sleep(PAUSE).await;
    }
    let mut latencies = Vec::new();
    for listener in listening {
        latencies.extend(listener.await.unwrap());
    }
    assert_eq!(
        latencies.len(),
        count * runs * EVENTS_PER_RUN,
        "every event"
    );
    figures.times("E1", latencies);
}

/// Each follows a run of its own, which waits; a signal brings it to its end.
async fn single(scene: &Scene, count: usize, figures: &mut Figures) {
    let port = scene.api().port;
    let mut listening = Vec::new();
    for _ in 0..count {
        let run = scene.api().post("workflows/wait/execute", &json!({})).await;
        let id = run["id"].as_str().expect("it has an id").to_owned();
        let mut listener = Listener::open(port, &format!("runs/{id}/events")).await;
        listener.until("step.waiting").await;
        listening.push((
            id,
            tokio::spawn(async move { listener.latencies(usize::MAX).await }),
        ));
    }
    let mut latencies = Vec::new();
    for (id, listener) in listening {
        let path = format!("runs/{id}/signals/go");
        scene.api().post(&path, &json!({})).await;
        latencies.extend(listener.await.unwrap());
        tokio::time::sleep(PAUSE).await;
    }
    assert_eq!(latencies.len(), count * EVENTS_AFTER_SIGNAL, "every event");
    figures.times("E1 run", latencies);
}
