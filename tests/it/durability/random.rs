//! Runs of many kinds while workers are killed, frozen, stopped and cut off at random moments.

use std::time::Duration;

use nix::sys::signal::Signal;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, Call, PATIENCE, Reply, until};

/// Runs, and blows while they go on; set the variables for more of both.
const RUNS: (&str, usize) = ("STEPWELL_TEST_RUNS", 60);
const BLOWS: (&str, usize) = ("STEPWELL_TEST_BLOWS", 8);
/// Set it to repeat a run that failed.
const SEED: &str = "STEPWELL_TEST_SEED";
/// What is kept for runs and calls, and must be nobody's when all is over.
const LEFT: &[(&str, &str)] = &[
    ("places", "select count(*) from stepwell.place"),
    (
        "seats",
        "select count(*) from stepwell.seat s join stepwell.worker w on w.id = s.worker_id
          where w.status in ('alive', 'draining')",
    ),
    ("words", "select count(*) from stepwell.inbox"),
    ("attempts", "select count(*) from stepwell.detached"),
    ("jobs", "select count(*) from stepwell.job"),
];

fn number((name, default): (&str, usize)) -> usize {
    let set = std::env::var(name).ok();
    set.map_or(default, |set| set.parse().unwrap())
}

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
    let few = json!({"max_concurrency": 3});
    app.api.agent_with("seated", &agent.url("/work"), few).await;
    let (all, most_blows) = (number(RUNS), number(BLOWS));
    for (slug, steps) in workflows() {
        app.api.workflow(slug, steps).await;
    }
    let keyed = json!({"concurrency": {"key": "string(input.n % 5)", "limit": 2}});
    app.api
        .workflow_with(
            "keyed",
            json!([call("a", json!({})), call("b", json!({}))]),
            keyed,
        )
        .await;
    let slugs = [
        "chain", "fan", "map", "timer", "parent", "seated", "shared", "keyed",
    ];
    let mut runs = Vec::new();
    let mut blows = 0;
    while runs.len() < all || blows < most_blows {
        if runs.len() < all {
            let slug = slugs[random.random_range(0..slugs.len())];
            let run = started(&app, slug, runs.len()).await;
            if random.random_range(0..10) == 0 {
                say(&app, &run, "pause").await;
                say(&app, &run, "resume").await;
            }
            runs.push(run);
        }
        if blows < most_blows && runs.len() >= (blows + 1) * all / (most_blows + 2) {
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
    for (what, count) in LEFT {
        until(
            &format!("seed {seed}: no {what} are left"),
            PATIENCE,
            async || (app.database.number(count).await == 0).then_some(()),
        )
        .await;
    }
    app.finish().await;
}

/// Starts a run, however often its answer is lost.
async fn started(app: &App, slug: &str, n: usize) -> String {
    let (path, key) = (format!("workflows/{slug}/execute"), format!("run-{n}"));
    until("a run is accepted", PATIENCE, async || {
        let body = json!({"input": {"n": n}});
        let headers = [("idempotency-key", key.as_str())];
        let answer = app.api.post_with(&path, &headers, body).await;
        (answer.status == 202).then(|| answer.text("/id"))
    })
    .await
}

/// Says a word to a run, unless it is over.
async fn say(app: &App, run: &str, word: &str) {
    until(word, PATIENCE, async || {
        let answer = app.api.post(&format!("runs/{run}/{word}"), json!({})).await;
        [202, 409].contains(&answer.status).then_some(())
    })
    .await;
}

/// Kills, stops or freezes one worker, and starts another in its place; or cuts every connection of the database.
async fn strike(app: &mut App, random: &mut StdRng) {
    let alive: Vec<usize> = (1..app.processes.len())
        .filter(|index| app.processes[*index].ended().is_none())
        .collect();
    let victim = alive[random.random_range(0..alive.len())];
    match random.random_range(0..4) {
        3 => {
            app.database
                .run(
                    "select pg_terminate_backend(pid) from pg_stat_activity
                     where datname = current_database() and application_name like 'stepwell %'",
                )
                .await;
            return;
        }
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

fn call(name: &str, more: Value) -> Value {
    let mut step = json!({"name": name, "type": "agent",
        "config": {"agent": "work", "input": {"n": "${input.n}"}},
        "retry": {"max_attempts": 20, "initial_interval_ms": 30, "max_interval_ms": 100}});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    step
}

fn workflows() -> Vec<(&'static str, Value)> {
    let seated = json!({"config": {"agent": "seated", "input": {"n": "${input.n}"}}});
    let item = json!({"type": "agent", "config": {"agent": "work", "input": "${item}"},
        "retry": {"max_attempts": 20, "initial_interval_ms": 30, "max_interval_ms": 100}});
    let shared = json!([{"name": "m", "type": "map",
        "config": {"items": "[1, 2, 3]", "distribute": true, "step": item.clone()}}]);
    vec![
        ("seated", json!([call("a", seated)])),
        ("shared", shared),
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
