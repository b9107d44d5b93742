//! Runs of many kinds while workers are killed, frozen and stopped at random moments.

use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Call, PATIENCE, Reply};

const RUNS: usize = 60;
const BLOWS: usize = 8;
/// Set it to repeat a run that failed.
const SEED: &str = "STEPWELL_TEST_SEED";

#[tokio::test]
async fn every_run_ends_and_no_completed_step_is_repeated() {
    let seed = std::env::var(SEED)
        .ok()
        .and_then(|s| s.parse().ok())
        .unwrap_or_else(rand::random);
    eprintln!("{SEED}={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut app = App::separate(2, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    // Slow enough that blows hit steps in flight: the agent answers after the time the call names.
    agent.on("/work", |call: &Call| {
        if call.number.is_multiple_of(7) {
            Reply::Json(503, json!({}))
        } else {
            Reply::Json(200, call.body["input"].clone())
        }
    });
    app.api.agent("work", &agent.url("/work")).await;
    for (slug, steps) in workflows() {
        app.api.workflow(slug, steps).await;
    }
    let slugs = ["chain", "fan", "map", "timer", "parent"];
    let mut runs = Vec::new();
    let mut blows = 0;
    while runs.len() < RUNS || blows < BLOWS {
        if runs.len() < RUNS {
            let slug = slugs[random.random_range(0..slugs.len())];
            runs.push(app.api.start(slug, json!({"n": runs.len()})).await);
        }
        if blows < BLOWS && runs.len() >= (blows + 1) * RUNS / (BLOWS + 2) {
            blows += 1;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
            strike(&mut app, &mut random).await;
        }
    }
    for run in &runs {
        let done = app.api.finished_within(run, PATIENCE * 2).await;
        assert_eq!(done["status"], "completed", "seed {seed}: {done}");
    }
    // A completed step's row names the attempt that completed it; no other call came after it.
    for run in &runs {
        for step in app.api.steps(run).await {
            assert!(
                ["completed", "skipped"].contains(&step["status"].as_str().unwrap()),
                "{step}"
            );
        }
    }
    let twice = app.database.number(
        "select count(*) from (select entity_id, step from stepwell.audit
           where action = 'step.completed' group by entity_id, step having count(*) > 1) d",
    );
    assert_eq!(twice.await, 0, "seed {seed}: a step completed twice");
    app.finish().await;
}

/// Kills, stops or freezes one worker, and starts another in its place.
async fn strike(app: &mut App, random: &mut StdRng) {
    let alive: Vec<usize> = (1..app.processes.len())
        .filter(|index| app.processes[*index].ended().is_none())
        .collect();
    let victim = alive[random.random_range(0..alive.len())];
    match random.random_range(0..3) {
        0 => app.processes[victim].kill().await,
        1 => {
            app.processes[victim].signal(Signal::SIGTERM);
        }
        _ => {
            app.processes[victim].signal(Signal::SIGSTOP);
            tokio::time::sleep(Duration::from_millis(random.random_range(0..3_000))).await;
            app.processes[victim].signal(Signal::SIGCONT);
            return;
        }
    }
    app.worker();
}

fn workflows() -> Vec<(&'static str, Value)> {
    let call = |name: &str, more: Value| {
        let mut step = json!({"name": name, "type": "agent",
            "config": {"agent": "work", "input": {"n": "${input.n}"}},
            "retry": {"max_attempts": 20, "initial_interval_ms": 30, "max_interval_ms": 100}});
        step.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        step
    };
    let item = json!({"type": "agent", "config": {"agent": "work", "input": "${item}"},
        "retry": {"max_attempts": 20, "initial_interval_ms": 30, "max_interval_ms": 100}});
    vec![
        (
            "chain",
            json!([
                call("a", json!({})),
                call("b", json!({})),
                call("c", json!({})),
                call("d", json!({}))
            ]),
        ),
        (
            "fan",
            json!([
                call("a", json!({"needs": []})),
                call("b", json!({"needs": []})),
                call("c", json!({"needs": []})),
                call("join", json!({"needs": ["a", "b", "c"]}))
            ]),
        ),
        (
            "map",
            json!([{"name": "m", "type": "map",
            "config": {"items": "[1, 2, 3, 4, 5, 6, 7, 8]", "max_parallel": 2, "step": item}}]),
        ),
        (
            "timer",
            json!([call("a", json!({})),
            {"name": "d", "type": "delay", "config": {"duration": 0.3}}, call("b", json!({}))]),
        ),
        (
            "parent",
            json!([{"name": "c", "type": "workflow",
            "config": {"workflow": "chain", "input": {"n": "${input.n}"}}}, call("after", json!({}))]),
        ),
    ]
}
