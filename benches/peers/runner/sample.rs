//! What is told run by run: Q2, W2 and W3.

use std::time::Duration;

use rand::Rng;
use serde_json::{Value, json};
use uuid::Uuid;

use super::protocol::{emit, mono, percentiles, result};
use super::work::Crew;
use super::{STEPS, plan, store, url};
use crate::door::Door;
use crate::scene::Api;

/// Between two starts of Q2, microseconds.
const PAUSE_Q2: std::ops::Range<u64> = 15_000..25_000;
/// Between two starts of W2.
const PAUSE_W2: Duration = Duration::from_millis(30);

/// Q2: from the call of an enqueue, and from its return, to the first line of the step.
pub(super) async fn latency(count: usize) {
    let store = store();
    let plan = plan(&store, "noop").await;
    let door = Door::open(store, &plan);
    let crew = Crew::idle("s1").await;
    let mut moments = Vec::new();
    for _ in 0..count {
        let run = door.new_run();
        let (id, called) = (run.id, mono());
        door.enqueue(run).await;
        moments.push((id, called, mono()));
        let pause = rand::rng().random_range(PAUSE_Q2);
        tokio::time::sleep(Duration::from_micros(pause)).await;
    }
    crew.reach(count).await;
    let seen = crew.end().await;
    let since = |moment: fn(&(Uuid, f64, f64)) -> f64| {
        let all = moments.iter();
        let mut all: Vec<_> = all.map(|m| (seen[&m.0] - moment(m)) * 1e3).collect();
        percentiles(&mut all)
    };
    let from = json!({"samples": count, "from_commit_ms": since(|m| m.2),
        "from_call_ms": since(|m| m.1)});
    door.close().await;
    emit(&result(from, None));
}

/// W2: one run on an idle system, from the POST until the client knows that it finished.
pub(super) async fn round_trips(count: usize) {
    let api = Api::start(&url()).await;
    let crew = Crew::idle(&format!("s{STEPS}")).await;
    let (mut whole, mut began) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let start = mono();
        let run = execute(&api, "wf", &json!({"user": "Ada"})).await;
        whole.push((mono() - start) * 1e3);
        let id: Uuid = run["id"].as_str().expect("it has an id").parse().unwrap();
        began.push((id, start));
        tokio::time::sleep(PAUSE_W2).await;
    }
    let seen = crew.end().await;
    let steps = began.iter().map(|(id, start)| (seen[id] - start) * 1e3);
    let mut told = percentiles(&mut whole);
    told["exec"] = percentiles(&mut steps.collect::<Vec<_>>());
    let spent = api.end().await;
    emit(&result(told, Some(spent)));
}

/// W3: one run that maps many steps and joins them.
pub(super) async fn map(items: usize) {
    let api = Api::start(&url()).await;
    let crew = Crew::idle("m").await;
    let input: Vec<_> = (0..items).collect();
    let start = mono();
    execute(&api, "fan", &json!(input)).await;
    let seconds = mono() - start;
    crew.end().await;
    let spent = api.end().await;
    emit(&result(json!({"secs": seconds, "k": items}), Some(spent)));
}

async fn execute(api: &Api, workflow: &str, input: &Value) -> Value {
    let path = format!("workflows/{workflow}/execute?wait_ms=60000");
    let run = api.post(&path, &json!({ "input": input })).await;
    assert_eq!(run["status"], "completed", "{run}");
    run
}
