//! What a scaler asks wakes workers for whatever waits for them, and takes none away from what is made.

use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, Process, Reply, until};
use crate::sql::psql::Psql;

/// The query of the manifest, for this queue.
fn asked(psql: &Psql, queue: &str) -> i64 {
    let manifest = include_str!("../../../deploy/k8s/keda/scaled-object.yaml");
    let (_, query) = manifest.split_once("query: >-\n").unwrap();
    let depth = |line: &str| line.len() - line.trim_start().len();
    let first = depth(query.lines().next().unwrap());
    let lines: Vec<_> = query
        .lines()
        .take_while(|line| depth(line) >= first)
        .map(str::trim)
        .collect();
    let query = lines.join(" ");
    assert!(query.contains("'default'"), "{query}");
    psql.run(&query.replace("'default'", &format!("'{queue}'")))
        .parse()
        .unwrap()
}

/// What the view and REST say alike of a queue: depth, running, workers.
async fn stands(app: &App, psql: &Psql, queue: &str) -> String {
    let by_rest = app.api.get(&format!("queues/{queue}")).await.of(200).body;
    let by_sql = psql.run(&format!(
        "select depth || '|' || running || '|' || workers from stepwell.v_queues where name = '{queue}'"
    ));
    let number = |name: &str| by_rest[name].as_u64().unwrap();
    assert_eq!(
        format!(
            "{}|{}|{}",
            number("depth"),
            number("running"),
            number("workers")
        ),
        by_sql
    );
    assert_eq!(by_rest["oldest_due"].is_null(), number("depth") == 0);
    by_sql
}

fn blocked(psql: &Psql, run: &str) -> String {
    psql.run(&format!(
        "select kind, since <= now(), until, detail from stepwell.v_blocked where run_id = '{run}'"
    ))
}

/// Waits until `/metrics` counts one of this.
async fn measured(app: &App, series: &str) {
    until(&format!("{series} is 1"), PATIENCE, async || {
        let text = app.api.get("/metrics").await.of(200).raw;
        let line = text.lines().find_map(|line| line.strip_prefix(series))?;
        (line.trim().trim_end_matches(".0") == "1").then_some(())
    })
    .await;
}

/// What the doctor says of queues without workers.
async fn examined(app: &App) -> Value {
    let variables = app.variables();
    let variables: Vec<(&str, &str)> = variables.iter().map(|(k, v)| (&**k, &**v)).collect();
    let mut process = Process::spawn("doctor", &["doctor", "--json"], &variables);
    process.exit().await;
    let answer: Value = serde_json::from_str(&process.output()).unwrap();
    let checks = answer["checks"].as_array().unwrap();
    checks
        .iter()
        .find(|one| one["check"] == "queues served")
        .unwrap()
        .clone()
}

#[tokio::test]
async fn a_step_with_a_queue_of_its_own_wakes_workers_there() {
    let mut app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    let step = json!({"name": "s", "type": "agent", "config": {"agent": "a"}, "queue": "gpu"});
    app.api.workflow("w", json!([step])).await;
    assert_eq!(asked(&psql, "gpu"), 0, "nobody knows it yet");
    let run = app.api.start("w", json!({})).await;
    app.api.reaches(&run, "waiting").await;
    assert_eq!(stands(&app, &psql, "gpu").await, "1|0|0");
    assert_eq!((asked(&psql, "gpu"), asked(&psql, "default")), (1, 0));
    assert_eq!(blocked(&psql, &run), "no_worker|t||gpu");
    let told = examined(&app).await;
    assert_eq!(told["state"], "warn", "{told}");
    assert!(told["detail"].as_str().unwrap().contains("gpu"), "{told}");
    measured(&app, "stepwell_queue_depth{queue=\"gpu\"}").await;
    let put_up = "stepwell_queue_attempts{queue=\"gpu\",state=\"put_up\"}";
    measured(&app, put_up).await;
    // What is paused asks for nobody: the queue, or the run.
    psql.run("select stepwell.pause_queue('gpu');");
    assert_eq!(asked(&psql, "gpu"), 0);
    assert_eq!(blocked(&psql, &run), "queue_paused|t||gpu");
    psql.run("select stepwell.resume_queue('gpu');");
    psql.run(&format!("select stepwell.pause_run('{run}');"));
    app.api.reaches(&run, "paused").await;
    assert_eq!(asked(&psql, "gpu"), 0);
    psql.run(&format!("select stepwell.resume_run('{run}');"));
    app.api.reaches(&run, "waiting").await;
    assert_eq!(asked(&psql, "gpu"), 1);
    // Nobody takes the worker away that makes it.
    app.spawn("gpu", &["worker", "--name", "gpu", "--queue", "gpu"]);
    agent.called("/a", 1).await;
    assert_eq!(stands(&app, &psql, "gpu").await, "0|1|1");
    assert_eq!(asked(&psql, "gpu"), 1);
    psql.run("select stepwell.pause_queue('gpu');");
    assert_eq!(asked(&psql, "gpu"), 1, "what is made goes on");
    assert_eq!(blocked(&psql, &run), "");
    agent.release("/a");
    app.api.finished(&run).await;
    assert_eq!(asked(&psql, "gpu"), 0);
    app.finish().await;
}

#[tokio::test]
async fn a_shared_map_keeps_its_workers() {
    let app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    let map = json!({"name": "m", "type": "map", "config": {"items": "${[1, 2, 3]}", "distribute": true,
        "step": {"type": "agent", "config": {"agent": "a"}}}});
    app.api.workflow("w", json!([map])).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 3).await;
    until("the driver lets go", PATIENCE, async || {
        (stands(&app, &psql, "default").await == "0|3|1").then_some(())
    })
    .await;
    assert_eq!(asked(&psql, "default"), 3);
    assert_eq!(blocked(&psql, &run), "");
    agent.release("/a");
    app.api.finished(&run).await;
    assert_eq!(asked(&psql, "default"), 0);
    app.finish().await;
}

#[tokio::test]
async fn due_runs_and_those_that_are_soon_due_ask_for_workers() {
    let app = App::separate(0, &[]).await;
    let psql = Psql::new(&app.database);
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", steps).await;
    for (options, expected) in [
        ("'{}'", 1),
        ("jsonb_build_object('run_at', now() - interval '1 hour')", 2),
        (
            "jsonb_build_object('run_at', now() + interval '20 seconds')",
            3,
        ),
        ("jsonb_build_object('run_at', now() + interval '1 hour')", 3),
        ("'{\"queue\": \"other\"}'", 3),
    ] {
        psql.run(&format!("select stepwell.execute('w', '{{}}', {options});"));
        assert_eq!(asked(&psql, "default"), expected, "{options}");
    }
    // Whoever may read may ask.
    assert_eq!(asked(&psql.after("set role stepwell_reader"), "default"), 3);
    psql.run("select stepwell.pause_queue('default');");
    assert_eq!(asked(&psql, "default"), 0);
    app.finish().await;
}
