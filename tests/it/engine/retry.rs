//! Attempts that fail and are made again.

use std::time::Instant;

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, port, with_app};

async fn agent_step(app: &App, agent: &Agent, path: &str, step: Value) -> Value {
    let name = path.trim_start_matches('/');
    app.api.agent(name, &agent.url(path)).await;
    let mut full = json!({"name": "s", "type": "agent", "config": {"agent": name}});
    full.as_object_mut()
        .unwrap()
        .extend(step.as_object().unwrap().clone());
    app.api.workflow(name, json!([full])).await;
    app.api.execute(name, json!({})).await
}

async fn only_step(app: &App, run: &Value) -> Value {
    app.api.step(run["id"].as_str().unwrap(), "s").await
}

#[tokio::test]
async fn it_fails_twice_and_then_well() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/shaky", 2, Reply::Json(503, json!({"busy": true})));
        let run = agent_step(app, &agent, "/shaky", json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(only_step(app, &run).await["attempt"], 3);
        let calls = agent.calls("/shaky");
        let attempts: Vec<_> = calls
            .iter()
            .map(|call| call.body["attempt"].clone())
            .collect();
        assert_eq!(attempts, [json!(1), json!(2), json!(3)]);
        let keys: std::collections::BTreeSet<_> = calls
            .iter()
            .map(|call| call.header("idempotency-key").to_owned())
            .collect();
        let key = format!("{}/s/1", run["id"].as_str().unwrap());
        assert_eq!(
            keys.into_iter().collect::<Vec<_>>(),
            [key],
            "the same for every attempt"
        );
        assert_eq!(calls[0].body["run_id"], run["id"]);
        assert_eq!(
            (&calls[0].body["workflow"], &calls[0].body["step"]),
            (&json!("shaky"), &json!("s"))
        );
    })
    .await;
}

#[tokio::test]
async fn it_fails_for_good_after_its_attempts() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/bad", 99, Reply::Json(500, json!({"why": "broken"})));
        let run = agent_step(app, &agent, "/bad", json!({})).await;
        assert_eq!(run["status"], "failed");
        assert_eq!(agent.calls("/bad").len(), 5);
        let error = &run["error"];
        assert_eq!(error["step"], "s", "{error}");
        assert!(
            error["message"].as_str().unwrap().contains("500"),
            "{error}"
        );
        assert!(
            error["type"].is_string() && error["retryable"].is_boolean(),
            "{error}"
        );
        let step = only_step(app, &run).await;
        assert_eq!(
            (&step["status"], &step["attempt"]),
            (&json!("failed"), &json!(5))
        );
        let error = step["error"].as_object().unwrap();
        assert!(error.contains_key("step"), "null, not absent: {error:?}");
    })
    .await;
}

#[tokio::test]
async fn a_client_error_is_not_tried_again() {
    with_app(async |app| {
        let agent = Agent::start().await;
        for status in [400, 404, 409, 422] {
            let path = format!("/c{status}");
            agent.fails(&path, 99, Reply::Json(status, json!({})));
            let run = agent_step(app, &agent, &path, json!({})).await;
            assert_eq!(run["status"], "failed");
            assert_eq!(agent.calls(&path).len(), 1, "{status}");
        }
        for status in [408, 425, 429] {
            let path = format!("/c{status}");
            agent.fails(&path, 1, Reply::Json(status, json!({})));
            let run = agent_step(app, &agent, &path, json!({})).await;
            assert_eq!(run["status"], "completed", "{status}");
        }
    })
    .await;
}

#[tokio::test]
async fn retry_after_is_honoured() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let busy = Reply::Raw(429, vec![("retry-after", "2".to_owned())], String::new());
        agent.fails("/busy", 1, busy);
        let started = Instant::now();
        let run = agent_step(app, &agent, "/busy", json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        assert!(
            started.elapsed().as_millis() >= 2_000,
            "{:?}",
            started.elapsed()
        );
    })
    .await;
}

#[tokio::test]
async fn the_step_policy_wins_over_the_agents() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/a", 99, Reply::Json(500, json!({})));
        let retry = json!({"retry": {"max_attempts": 2, "initial_interval_ms": 1}});
        agent_step(app, &agent, "/a", retry).await;
        assert_eq!(agent.calls("/a").len(), 2);
        agent.fails("/b", 99, Reply::Json(500, json!({})));
        let retry =
            json!({"retry": {"max_attempts": 4, "initial_interval_ms": 1, "retry_on": [503]}});
        agent_step(app, &agent, "/b", retry).await;
        assert_eq!(agent.calls("/b").len(), 1, "500 is not in retry_on");
    })
    .await;
}

#[tokio::test]
async fn backoff_grows_and_is_shown() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/a", 1, Reply::Json(500, json!({})));
        app.api.agent("a", &agent.url("/a")).await;
        let retry = json!({"max_attempts": 2, "initial_interval_ms": 3_000, "jitter": 0.0});
        let steps =
            json!([{"name": "s", "type": "agent", "config": {"agent": "a"}, "retry": retry}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        let waiting = app.api.reaches(&run, "waiting").await;
        assert_eq!(waiting["blocked_on"]["kind"], "retry", "{waiting}");
        let step = app.api.step(&run, "s").await;
        assert!(step["next_attempt_at"].is_string(), "{step}");
        assert_eq!(step["attempt"], 1);
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_takes_too_long_is_aborted_and_tried_again() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/slow", 1, Reply::Never);
        let run = agent_step(app, &agent, "/slow", json!({"timeout_ms": 300})).await;
        assert_eq!(run["status"], "completed", "{run}");
        agent.aborted("/slow", 1).await;
        assert_eq!(only_step(app, &run).await["attempt"], 2);
        agent.fails("/never", 99, Reply::Never);
        let more =
            json!({"timeout_ms": 200, "retry": {"max_attempts": 2, "initial_interval_ms": 1}});
        let run = agent_step(app, &agent, "/never", more).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("timeout")),
            "{run}"
        );
        assert_eq!(only_step(app, &run).await["status"], "timed_out");
    })
    .await;
}

#[tokio::test]
async fn broken_connections_are_tried_again() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/hangs-up", 1, Reply::HangUp);
        let run = agent_step(app, &agent, "/hangs-up", json!({})).await;
        assert_eq!(run["status"], "completed", "{run}");
        let url = format!("http://127.0.0.1:{}/x", port::free());
        app.api.agent("away", &url).await;
        app.api
            .workflow(
                "away",
                json!([{"name": "s", "type": "agent", "config": {"agent": "away"}}]),
            )
            .await;
        let run = app.api.execute("away", json!({})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("connect")),
            "{run}"
        );
        assert_eq!(only_step(app, &run).await["attempt"], 5);
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_no_json_or_too_large_fails_for_good() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let text = vec![("content-type", "text/html".to_owned())];
        agent.fails("/text", 99, Reply::Raw(200, text, "<html>".to_owned()));
        let run = agent_step(app, &agent, "/text", json!({})).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(agent.calls("/text").len(), 1);
        let large = json!({"text": "x".repeat(5 << 20)});
        agent.fails("/large", 99, Reply::Json(200, large));
        let run = agent_step(app, &agent, "/large", json!({})).await;
        assert_eq!(run["status"], "failed");
        assert!(
            run["error"]["message"].as_str().unwrap().contains('4'),
            "names the limit: {run}"
        );
        let fits = json!({"text": "x".repeat(500 << 10)});
        agent.fails("/fits", 99, Reply::Json(200, fits.clone()));
        let run = agent_step(app, &agent, "/fits", json!({})).await;
        assert_eq!(run["output"], fits);
    })
    .await;
}

#[tokio::test]
async fn the_attempts_of_the_agents_policy_are_shown() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |_| Reply::held());
        app.api.agent("a", &agent.url("/a")).await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}},
            {"name": "t", "type": "agent", "config": {"agent": "a"}, "retry": {"max_attempts": 2}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        app.api.audit_says(&run, "step.started", "s").await;
        let shown = app.api.step(&run, "s").await;
        assert_eq!(shown["max_attempts"], 5, "while it is called: {shown}");
        agent.release("/a");
        app.api.finished(&run).await;
        let shown = app.api.step(&run, "s").await;
        assert_eq!(shown["max_attempts"], 5, "when it is over: {shown}");
        let shown = app.api.step(&run, "t").await;
        assert_eq!(shown["max_attempts"], 2, "its own wins: {shown}");
    })
    .await;
}
