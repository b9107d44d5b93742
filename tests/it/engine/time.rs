//! Delays, times to start at, timeouts.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

fn seconds_between(run: &Value, from: &str, to: &str) -> f64 {
    let at =
        |field: &str| chrono::DateTime::parse_from_rfc3339(run[field].as_str().unwrap()).unwrap();
    (at(to) - at(from)).as_seconds_f64()
}

#[tokio::test]
async fn a_delay_lasts_as_long_as_it_says() {
    with_app(async |app| {
        let until = (chrono::Utc::now() + chrono::TimeDelta::seconds(1)).to_rfc3339();
        for (name, config) in [
            ("seconds", json!({"duration": 0.5})),
            ("text", json!({"duration": "PT0.5S"})),
            ("computed", json!({"duration": "${input.seconds}"})),
            ("until", json!({"until": until})),
            ("past", json!({"until": "2020-01-01T00:00:00Z"})),
        ] {
            app.api
                .workflow(
                    name,
                    json!([{"name": "d", "type": "delay", "config": config}]),
                )
                .await;
            let run = app.api.execute(name, json!({"seconds": 0.5})).await;
            assert_eq!(run["status"], "completed", "{name}: {run}");
            let took = seconds_between(&run, "started_at", "finished_at");
            assert!(took < 10.0, "{name} took {took}");
            if !["until", "past"].contains(&name) {
                assert!(took >= 0.5, "{name} took {took}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_delay_survives_a_restart() {
    let mut app = App::separate(1, &[]).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "d", "type": "delay", "config": {"duration": 3}}]),
        )
        .await;
    let run = app.api.start("w", json!({})).await;
    app.api.reaches(&run, "waiting").await;
    let timed = "select count(*) from stepwell.job where state = 'timed'";
    assert_eq!(app.database.number(timed).await, 1, "no worker holds it");
    assert_eq!(app.processes[1].stop().await.code(), Some(0));
    app.worker();
    let run = app.api.finished(&run).await;
    assert_eq!(run["status"], "completed");
    assert!(
        seconds_between(&run, "started_at", "finished_at") >= 3.0,
        "{run}"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_run_starts_at_its_time() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
            )
            .await;
        let soon = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
        let run = app
            .api
            .start_with("w", json!({"run_at": soon.to_rfc3339()}))
            .await;
        let shown = app.api.run(&run).await;
        assert_eq!(
            (&shown["status"], &shown["blocked_on"]["kind"]),
            (&json!("waiting"), &json!("run_at"))
        );
        assert!(shown["started_at"].is_null(), "{shown}");
        let run = app.api.finished(&run).await;
        let started =
            chrono::DateTime::parse_from_rfc3339(run["started_at"].as_str().unwrap()).unwrap();
        assert!(
            started >= soon - chrono::TimeDelta::milliseconds(5),
            "{run}"
        );
        assert!(started < soon + chrono::TimeDelta::seconds(10), "{run}");
    })
    .await;
}

#[tokio::test]
async fn a_run_has_its_own_timeout() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        app.api.agent("slow", &agent.url("/slow")).await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}},
            {"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api
            .workflow_with("w", steps, json!({"timeout_ms": 400}))
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("timed_out"), &json!("run_timeout")),
            "{run}"
        );
        // It is the error of no step, and says so.
        assert_eq!(
            run["error"].as_object().unwrap().get("step"),
            Some(&json!(null))
        );
        agent.aborted("/slow", 1).await;
        let took = seconds_between(&run, "started_at", "finished_at");
        assert!((0.4..5.0).contains(&took), "{took}");
    })
    .await;
}

#[tokio::test]
async fn execute_may_shorten_or_lengthen_the_timeout() {
    with_app(async |app| {
        let steps = json!([{"name": "wait", "type": "wait", "config": {"signal": "go"}}]);
        app.api
            .workflow_with("w", steps, json!({"timeout_ms": 300}))
            .await;
        let long = app.api.start_with("w", json!({"timeout_ms": 60_000})).await;
        let short = app.api.start_with("w", json!({"timeout_ms": 100})).await;
        let plain = app.api.start("w", json!({})).await;
        for run in [&short, &plain] {
            assert_eq!(
                app.api.finished(run).await["status"],
                "timed_out",
                "a parked run times out too"
            );
        }
        assert_eq!(app.api.run(&long).await["status"], "waiting");
        app.api
            .post(&format!("runs/{long}/signals/go"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&long).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn a_thousand_timers_of_others_do_not_stand_in_the_way() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
            )
            .await;
        let later = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
        let runs: Vec<_> = (0..1_000)
            .map(|_| json!({"workflow": "w", "run_at": later}))
            .collect();
        app.api
            .post("runs/batch", json!({"runs": runs}))
            .await
            .of(202);
        let run = app.api.start("w", json!({})).await;
        let run = app.api.finished_within(&run, Duration::from_secs(10)).await;
        assert_eq!(run["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn a_run_and_its_step_wait_until_the_same_microsecond() {
    with_app(async |app| {
        let delay = json!({"name": "s", "type": "delay", "config": {"duration": 3_600.333_333_333}});
        app.api.workflow("delay", json!([delay])).await;
        let wait = json!({"name": "s", "type": "wait", "config": {"signal": "go", "timeout_ms": 3_600_000}});
        app.api.workflow("wait", json!([wait])).await;
        for workflow in ["delay", "wait"] {
            let run = app.api.start(workflow, json!({})).await;
            let shown = app.api.reaches(&run, "waiting").await["blocked_on"].clone();
            let step = app.api.step(&run, "s").await["blocked_on"].clone();
            assert_eq!((&shown["since"], &shown["until"]), (&step["since"], &step["until"]));
            let record = app.api.audit_says(&run, "step.waiting", "s").await;
            assert_eq!(record["detail"]["until"], shown["until"], "{record}");
            app.api.post(&format!("runs/{run}/cancel"), json!({})).await.of(202);
            app.api.finished(&run).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_step_that_waits_for_others_may_time_out() {
    with_app(async |app| {
        let wait = json!({"type": "wait", "config": {"signal": "never"}});
        let named = |mut step: Value| {
            step["name"] = json!("w");
            step
        };
        app.api
            .workflow("child", json!([named(wait.clone())]))
            .await;
        let cases = [
            ("waits", wait.clone()),
            (
                "maps",
                json!({"type": "map", "config": {"items": "[1, 2]", "step": wait}}),
            ),
            (
                "calls",
                json!({"type": "workflow", "config": {"workflow": "child"}}),
            ),
        ];
        for (slug, mut step) in cases {
            step["timeout_ms"] = json!(300);
            app.api.workflow(slug, json!([named(step)])).await;
            let run = app.api.execute(slug, json!({})).await;
            assert_eq!(
                (&run["status"], &run["error"]["type"]),
                (&json!("failed"), &json!("timeout")),
                "{slug}: {run}"
            );
            let id = run["id"].as_str().unwrap();
            assert_eq!(app.api.step(id, "w").await["status"], "timed_out", "{slug}");
            if slug == "calls" {
                let path = format!("runs?parent_id={id}");
                let children = app.api.get(&path).await.of(200).body;
                let child = children["items"][0]["id"].as_str().unwrap().to_owned();
                assert_eq!(app.api.finished(&child).await["status"], "cancelled");
            }
        }
    })
    .await;
}
