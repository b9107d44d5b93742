//! The workloads.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use rand::Rng;
use serde_json::json;
use serde_json::value::RawValue;
use stepwell::queue::new_run::DEFAULT_QUEUE;
use stepwell::queue::workflow::PlannedVersion;
use stepwell::queue::{Actor, NewRun};
use uuid::Uuid;

use crate::arguments::LIMIT;
use crate::figures::Figures;
use crate::limit;
use crate::meter;
use crate::scene::{Scene, Worker};
use crate::server::Server;
use crate::worker::now;

const Q1_RUNS: f64 = 20_000.0;
const Q2_SAMPLES: f64 = 200.0;
const W1_RUNS: f64 = 2_000.0;
pub(crate) const W1_STEPS: usize = 5;
const W2_SAMPLES: f64 = 50.0;
const W3_ITEMS: f64 = 500.0;
/// Runs of one call of the bulk door.
const BATCH: usize = 500;
/// Runs of one POST to the bulk door: the most that it takes.
const POST: usize = 10_000;

pub(crate) async fn measure(workload: &str, server: &Server, scale: f64, figures: &mut Figures) {
    let scaled =
        |full: f64| -> usize { format!("{:.0}", (full * scale).max(1.0)).parse().unwrap() };
    let scene = Scene::set(server).await;
    match workload {
        "Q1" => {
            bulk(&scene, scaled(Q1_RUNS), figures).await;
            let posted = Scene::set(server).await;
            bulk_http(&posted, scaled(Q1_RUNS), figures).await;
        }
        "Q2" => latency(&scene, scaled(Q2_SAMPLES), figures).await,
        "W1" => {
            let plan = scene.chain(W1_STEPS).await;
            let runs = scaled(W1_RUNS);
            enqueue(&scene, &plan, runs).await;
            drain("W1", &scene, runs, W1_STEPS, figures).await;
        }
        LIMIT => limit::measure(&scene, scaled(W1_RUNS), figures).await,
        "W2" => round_trip(&scene, scaled(W2_SAMPLES), figures).await,
        _ => map(&scene, scaled(W3_ITEMS), figures).await,
    }
}

fn new_run(plan: &PlannedVersion, input: &std::sync::Arc<RawValue>) -> NewRun {
    NewRun {
        id: Uuid::now_v7(),
        workflow_id: plan.workflow_id,
        workflow_name: plan.workflow_name.clone(),
        version: plan.version,
        steps_total: i32::try_from(plan.plan.steps.len()).unwrap(),
        input: input.clone(),
        queue: DEFAULT_QUEUE.into(),
        priority: 0,
        run_at: None,
        timeout_ms: None,
        labels: BTreeMap::new(),
        dedupe_key: None,
        parent: None,
        awaited: false,
        actor: Actor {
            name: "bench".to_owned(),
            ..Actor::default()
        },
        created_at: chrono::Utc::now(),
        idempotency: None,
    }
}

fn input() -> std::sync::Arc<RawValue> {
    RawValue::from_string("{\"user\":\"Ada\"}".to_owned())
        .unwrap()
        .into()
}

/// Enqueues by the bulk door; gives the time it took.
async fn enqueue(scene: &Scene, plan: &PlannedVersion, runs: usize) -> Duration {
    let input = input();
    let began = Instant::now();
    let mut left = runs;
    while left > 0 {
        let size = left.min(BATCH);
        let batch = (0..size).map(|_| new_run(plan, &input)).collect();
        scene.store.enqueue_batch(batch, None).await.unwrap();
        left -= size;
    }
    began.elapsed()
}

/// Q1: many runs of one step come in, and one worker drains them.
async fn bulk(scene: &Scene, runs: usize, figures: &mut Figures) {
    let plan = scene.chain(1).await;
    let first = scene.meter.read().await;
    let took = enqueue(scene, &plan, runs).await;
    let cost = scene.meter.since(&first).await;
    figures.add("Q1 enqueue", "runs/s", runs as f64 / took.as_secs_f64());
    figures.cost("Q1 enqueue", "run", runs, cost);
    drain("Q1 drain", scene, runs, 1, figures).await;
}

/// Q1 through the API.
async fn bulk_http(scene: &Scene, runs: usize, figures: &mut Figures) {
    scene.chain(1).await;
    let began = Instant::now();
    let mut left = runs;
    while left > 0 {
        let size = left.min(POST);
        let batch: Vec<_> = (0..size)
            .map(|_| json!({"workflow": "bench", "input": {"user": "Ada"}}))
            .collect();
        scene.post("runs/batch", &json!({ "runs": batch })).await;
        left -= size;
    }
    figures.add(
        "Q1 enqueue by POST",
        "runs/s",
        runs as f64 / began.elapsed().as_secs_f64(),
    );
}

/// One worker drains what is there.
async fn drain(name: &str, scene: &Scene, runs: usize, steps: usize, figures: &mut Figures) {
    scene.analyze().await;
    let first = scene.meter.read().await;
    let mut worker = Worker::start(scene, runs * steps, false).await;
    worker.says("last").await;
    scene.drained().await;
    let took = worker.started().elapsed().as_secs_f64();
    let (seconds, memory) = (
        meter::process_seconds(worker.pid()),
        meter::peak_mib(worker.pid()),
    );
    worker.end().await;
    let cost = scene.meter.since(&first).await;
    let (unit, count) = if steps == 1 {
        ("run", runs)
    } else {
        ("step", runs * steps)
    };
    figures.add(name, &format!("{unit}s/s"), count as f64 / took);
    if steps > 1 {
        figures.add(name, "runs/s", runs as f64 / took);
    }
    figures.cost(name, unit, count, cost);
    figures.add(
        name,
        &format!("worker CPU µs/{unit}"),
        seconds * 1e6 / count as f64,
    );
    figures.add(name, "worker peak MiB", memory);
}

/// Q2: from the commit of an enqueue to the first line of its step, on an idle worker.
async fn latency(scene: &Scene, samples: usize, figures: &mut Figures) {
    let plan = scene.chain(1).await;
    let worker = Worker::start(scene, usize::MAX, true).await;
    let input = input();
    let mut committed = HashMap::new();
    // The first one finds caches cold, and is not counted.
    for _ in 0..=samples {
        let pause = Duration::from_micros(rand::rng().random_range(15_000..25_000));
        tokio::time::sleep(pause).await;
        let run = new_run(&plan, &input);
        let id = run.id;
        scene.store.enqueue(run).await.unwrap();
        committed.insert(id.to_string(), now());
    }
    scene.drained().await;
    let mut latencies = Vec::new();
    for line in worker.end().await.iter().skip(1) {
        let mut words = line.split(' ').skip(1);
        let (Some(run), Some(at)) = (words.next(), words.next()) else {
            continue;
        };
        let began: u128 = at.parse().unwrap();
        let nanos = began.saturating_sub(committed[run]);
        latencies.push(nanos as f64 / 1e6);
    }
    figures.percentiles("Q2", latencies);
}

/// W2: one five-step run on an idle system, from the POST until the client knows that it finished.
async fn round_trip(scene: &Scene, samples: usize, figures: &mut Figures) {
    scene.chain(W1_STEPS).await;
    let worker = Worker::start(scene, usize::MAX, false).await;
    let mut latencies = Vec::new();
    for sample in 0..=samples {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let began = Instant::now();
        let path = "workflows/bench/execute?wait_ms=30000";
        let run = scene.post(path, &json!({"input": {"user": "Ada"}})).await;
        assert_eq!(run["status"], "completed", "{run}");
        if sample > 0 {
            latencies.push(began.elapsed().as_secs_f64() * 1e3);
        }
    }
    figures.percentiles("W2", latencies);
    let api = scene.api.id().expect("it runs");
    figures.add("W2", "API peak MiB", meter::peak_mib(api));
    worker.end().await;
}

/// W3: one run that maps many steps which do nothing, and joins them.
async fn map(scene: &Scene, items: usize, figures: &mut Figures) {
    let step = json!({"type": "task", "config": {"task": "noop", "input": "${item}"}});
    let config = json!({"items": "${input}", "max_parallel": 1_000, "step": step});
    let steps = json!([{"name": "m", "type": "map", "config": config}]);
    let workflow = json!({"id": "bench", "name": "bench", "max_parallel": 1_000, "steps": steps});
    scene.post("workflows", &workflow).await;
    let worker = Worker::start(scene, usize::MAX, false).await;
    let input: Vec<_> = (0..items).collect();
    // Once to warm up, as a worker that has been there for a while is.
    for warm in [false, true] {
        let began = Instant::now();
        let path = "workflows/bench/execute?wait_ms=60000";
        let run = scene.post(path, &json!({ "input": input })).await;
        assert_eq!(run["status"], "completed", "{run}");
        let name = if warm { "W3" } else { "W3 cold" };
        figures.add(name, "ms", began.elapsed().as_secs_f64() * 1e3);
    }
    worker.end().await;
}
