//! The clocks of hosts are wrong, and no timer is: time goes by the database's clock.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Agent, App, Client, PATIENCE, Process, Reply, faketime, port, until};

/// What a timer may be off by.
const OFF_MAX: f64 = 1.0;
/// Claims of an idle worker in a second, generously; a hot loop makes a thousand.
const CLAIMS_PER_SECOND_MAX: f64 = 60.0;

#[tokio::test]
async fn a_worker_that_is_behind_times_as_others_do() {
    a_worker_that_is_off_by("-300s").await;
}

#[tokio::test]
async fn a_worker_that_is_ahead_times_as_others_do() {
    a_worker_that_is_off_by("+300s").await;
}

async fn a_worker_that_is_off_by(offset: &str) {
    let Some(wrong) = faketime::off_by(offset) else {
        return;
    };
    let mut app = App::separate(0, &[("STEPWELL_WORKER_HEARTBEAT_MS", "500")]).await;
    let probes = spawn_watched(&mut app, &wrong).await;
    let agent = Agent::start().await;
    workflows(&app, &agent).await;

    let begun = Instant::now();
    let claims = claims(&probes).await;
    let timed = [
        ("delay", "completed", 3.0),
        ("retry", "completed", 3.0),
        ("wait", "failed", 3.0),
        ("step", "failed", 3.0),
        ("run", "timed_out", 3.0),
    ];
    let ended = timed.map(|(workflow, status, seconds)| {
        let app = &app;
        async move {
            for _ in 0..4 {
                let run = app.api.start(workflow, json!({})).await;
                let begun = Instant::now();
                let run = app.api.finished(&run).await;
                let took = begun.elapsed().as_secs_f64();
                assert_eq!(run["status"], status, "{run}");
                assert!(
                    (took - seconds).abs() <= OFF_MAX,
                    "{workflow}: {took} s, {run}"
                );
                in_order(&run);
            }
        }
    });
    futures::future::join_all(ended).await;
    let rate = (self::claims(&probes).await - claims) / begun.elapsed().as_secs_f64();
    assert!(rate < CLAIMS_PER_SECOND_MAX, "{rate} claims in a second");

    told(&app, &probes, offset).await;
    app.finish().await;
}

/// Starts a worker that knows a wrong time, and returns a client of what watches it.
async fn spawn_watched(app: &mut App, wrong: &[(String, String)]) -> Client {
    let port = port::free();
    let listen = format!("127.0.0.1:{port}");
    let place = app.spawn_with(
        "wrong",
        &["worker", "--name", "wrong", "--health-listen", &listen],
        wrong,
    );
    app.processes[place].said("is working").await;
    Client::new(port)
}

async fn workflows(app: &App, agent: &Agent) {
    agent.on("/again", |call| match call.number % 2 {
        0 => Reply::ok(),
        _ => Reply::Json(503, json!({})),
    });
    agent.on("/never", |_| Reply::Never);
    for name in ["again", "never"] {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
    }
    let delay = json!([{"name": "d", "type": "delay", "config": {"duration": 3}}]);
    app.api.workflow("delay", delay).await;
    let wait =
        json!([{"name": "w", "type": "wait", "config": {"signal": "go", "timeout_ms": 3_000}}]);
    app.api.workflow("wait", wait).await;
    let retry = json!({"max_attempts": 2, "initial_interval_ms": 3_000, "jitter": 0});
    let again =
        json!([{"name": "a", "type": "agent", "config": {"agent": "again"}, "retry": retry}]);
    app.api.workflow("retry", again).await;
    let step = json!([{"name": "s", "type": "agent", "config": {"agent": "never"}, "timeout_ms": 3_000,
        "retry": {"max_attempts": 1}}]);
    app.api.workflow("step", step).await;
    let run = json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]);
    app.api
        .workflow_with("run", run, json!({"timeout_ms": 3_000}))
        .await;
}

/// The times of a run, whoever wrote them, are in order.
fn in_order(run: &Value) {
    let at = |field: &str| {
        run[field]
            .as_str()
            .unwrap()
            .parse::<DateTime<Utc>>()
            .unwrap()
    };
    let (created, started, finished) = (at("created_at"), at("started_at"), at("finished_at"));
    assert!(created <= started && started <= finished, "{run}");
    let off = (Utc::now() - finished).abs();
    assert!(off < TimeDelta::seconds(20), "{run}");
}

async fn claims(probes: &Client) -> f64 {
    let text = probes.get("/metrics").await.of(200).raw;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("stepwell_claims_total "));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

/// Everybody who looks is told of the wrong clock.
async fn told(app: &App, probes: &Client, offset: &str) {
    let off = if offset.starts_with('-') {
        -300_000
    } else {
        300_000
    };
    let near = |skew: i64| (skew - off).abs() < 2_000;
    let shown = app
        .database
        .number("select clock_skew_ms::bigint from stepwell.v_workers where name = 'wrong'")
        .await;
    assert!(near(shown), "{shown}");
    let listed = app.api.read("workers").await.body["items"][0].clone();
    assert!(near(listed["clock_skew_ms"].as_i64().unwrap()), "{listed}");
    let side = if off < 0 { "behind" } else { "ahead of" };
    until("both are warned", PATIENCE, async || {
        let (api, own) = (warnings(&app.api).await, warnings(probes).await);
        (api.contains("worker wrong: the clock of its host is 300.")
            && api.contains(side)
            && own.contains("the clock of this host is 300.")
            && own.contains(side))
        .then_some(())
    })
    .await;
    let wrong = app
        .processes
        .iter()
        .find(|one| one.name == "wrong")
        .unwrap();
    wrong.said("this host's clock is wrong").await;

    let variables = app.variables();
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    let mut doctor = Process::spawn("doctor", &["doctor"], &variables);
    doctor.exit().await;
    let said = doctor.output();
    assert!(
        said.contains(&format!("wrong is 300.0 s {side} the database's")),
        "{said}"
    );
}

async fn warnings(client: &Client) -> String {
    client.read("/health/ready").await.body["warnings"].to_string()
}

#[tokio::test]
async fn an_api_that_is_behind_makes_and_dates_as_others_do() {
    an_api_that_is_off_by("-300s", "+300s").await;
}

#[tokio::test]
async fn an_api_that_is_ahead_makes_and_dates_as_others_do() {
    an_api_that_is_off_by("+300s", "-300s").await;
}

/// The worker is off to the other side.
async fn an_api_that_is_off_by(api: &str, worker: &str) {
    let (Some(wrong), Some(other)) = (faketime::off_by(api), faketime::off_by(worker)) else {
        return;
    };
    let mut app = App::separate(0, &[]).await;
    assert_eq!(app.processes[0].stop().await.code(), Some(0));
    let port = app.port.to_string();
    app.spawn_with("api", &["api", "--port", &port], &wrong);
    app.ready().await;
    spawn_watched(&mut app, &other).await;
    let quick = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", quick).await;

    // The first firing is counted from now, and so is the next after a change.
    let every = |seconds: u32| json!({"name": "s", "workflow": "w", "cron": format!("*/{seconds} * * * * *")});
    let made = app.api.post("schedules", every(5)).await.of(201).body;
    next_within(&made, 5);
    let changed = app.api.put("schedules/s", every(10)).await.of(200).body;
    next_within(&changed, 10);
    let fired = "select count(*) from stepwell.run where triggered_by like 'schedule:%'";
    until("it fires", Duration::from_secs(15), async || {
        (app.database.number(fired).await > 0).then_some(())
    })
    .await;
    app.api.delete("schedules/s").await.of(204);

    // A time in the near future is one, and is waited for.
    let soon = Utc::now() + TimeDelta::seconds(3);
    let begun = Instant::now();
    let run = app.api.start_with("w", json!({"run_at": soon})).await;
    let run = app.api.finished(&run).await;
    assert!(
        (begun.elapsed().as_secs_f64() - 3.0).abs() <= OFF_MAX,
        "{run}"
    );
    in_order(&run);
    for _ in 0..20 {
        in_order(&app.api.execute("w", json!({})).await);
    }
    let misdated = "select count(*) from stepwell.run
        where abs(extract(epoch from stepwell.uuid7_time(id) - created_at)) > 1
           or abs(extract(epoch from created_at - now())) > 120";
    assert_eq!(app.database.number(misdated).await, 0);
    let misdated = "select count(*) from stepwell.audit
        where abs(extract(epoch from stepwell.uuid7_time(id) - at)) > 2";
    assert_eq!(app.database.number(misdated).await, 0);
    app.finish().await;
}

fn next_within(schedule: &Value, seconds: i64) {
    let next: DateTime<Utc> = schedule["next_at"].as_str().unwrap().parse().unwrap();
    let wait = next - Utc::now();
    assert!(
        wait > TimeDelta::seconds(-2) && wait <= TimeDelta::seconds(seconds),
        "{wait}: {schedule}"
    );
}
