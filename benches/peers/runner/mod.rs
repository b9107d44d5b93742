//! Stepwell's runner for the harness: `setup`, `enqueue noop|wf N`, `work noop|wf N`, `latency N`,
//! `w2 N`, `w3 K`, on the database that PEER_DSN names.
//!
//! Settings: a worker with 1,000 slots, the default; bulk enqueue by 500 runs. W2 and W3 go over
//! HTTP to an API process, and its processor time counts. Enqueuing and working have stores of their
//! own also within one process, so that a start is heard of by way of Postgres.

mod protocol;
mod sample;
mod work;

use serde_json::{Value, json};
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::queue::workflow::PlannedVersion;

use crate::door::Door;
use crate::scene::{Api, task};
use protocol::{emit, result};

/// The steps of a `wf`.
const STEPS: usize = 5;
/// Items of the map that run at once: all.
const PARALLEL: usize = 1_000;

/// The words after `peer`.
pub(crate) fn main(words: impl Iterator<Item = String>) {
    // As the product's binary does.
    stepwell::huge_pages::decline();
    let words: Vec<String> = words.collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            match words[..] {
                ["setup"] => setup().await,
                ["enqueue", kind, count] => enqueue(kind, count.parse().unwrap()).await,
                ["work", kind, _] => work::until_told(kind).await,
                ["latency", count] => sample::latency(count.parse().unwrap()).await,
                ["w2", count] => sample::round_trips(count.parse().unwrap()).await,
                ["w3", count] => sample::map(count.parse().unwrap()).await,
                _ => panic!("{words:?} is not understood"),
            }
        });
}

fn url() -> String {
    std::env::var("PEER_DSN").expect("PEER_DSN names the database")
}

fn store() -> Store {
    Store::open(StoreOptions::new(url())).unwrap()
}

async fn plan(store: &Store, workflow: &str) -> PlannedVersion {
    let plan = store.resolve(workflow, None).await.unwrap();
    plan.expect("setup made it")
}

/// Tables and workflows.
async fn setup() {
    let store = store();
    store.migrate_up().await.unwrap();
    store.close().await;
    let steps: Vec<_> = (1..=STEPS).map(|n| task(&format!("s{n}"))).collect();
    let item = json!({"type": "task", "config": {"task": "noop", "input": "${item}"}});
    let map = json!({"items": "${input}", "max_parallel": PARALLEL, "step": item});
    let api = Api::start(&url()).await;
    let workflow = async |definition: Value| api.post("workflows", &definition).await;
    workflow(json!({"id": "noop", "name": "noop", "steps": [task("s1")]})).await;
    workflow(json!({"id": "wf", "name": "wf", "steps": steps})).await;
    workflow(json!({"id": "fan", "name": "fan", "max_parallel": PARALLEL,
        "steps": [{"name": "m", "type": "map", "config": map}]}))
    .await;
    api.end().await;
}

async fn enqueue(kind: &str, count: usize) {
    let store = store();
    let plan = plan(&store, kind).await;
    let door = Door::open(store, &plan);
    let arrived = door.enqueue_many(count).await;
    door.close().await;
    let seconds = arrived.took.as_secs_f64();
    emit(&result(json!({"n": count, "secs": seconds}), None));
}
