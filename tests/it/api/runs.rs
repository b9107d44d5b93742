//! What is asked of runs, and what is refused in which state.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

async fn held(app: &App) -> Agent {
    let agent = Agent::start().await;
    agent.on("/held", |_| Reply::held());
    app.api.agent("held", &agent.url("/held")).await;
    app.api
        .workflow(
            "held",
            json!([{"name": "s", "type": "agent", "config": {"agent": "held"}}]),
        )
        .await;
    agent
}

#[tokio::test]
async fn steps_say_what_they_did() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |call| Reply::Json(200, json!({"got": call.body["input"]})));
        app.api.agent("a", &agent.url("/a")).await;
        let steps = json!([
            {"name": "call", "type": "agent", "config": {"agent": "a", "input": {"user": "${input.user}"}},
             "retry": {"max_attempts": 5}},
            {"name": "shape", "type": "transform", "config": {"value": "${steps.call.output.got.user}"}},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.execute("w", json!({"user": "Ada"})).await;
        assert_eq!(run["output"], "Ada", "the last step's output is the run's");
        let steps = app.api.steps(run["id"].as_str().unwrap()).await;
        assert_eq!(steps.len(), 2);
        let call = &steps[0];
        assert_eq!((&call["name"], &call["type"]), (&json!("call"), &json!("agent")));
        assert_eq!(call["status"], "completed");
        assert_eq!((&call["attempt"], &call["max_attempts"]), (&json!(1), &json!(5)));
        assert_eq!(call["input"], json!({"user": "Ada"}));
        assert_eq!(call["output"], json!({"got": {"user": "Ada"}}));
        assert_eq!(call["error"], Value::Null);
        assert!(call["started_at"].is_string() && call["finished_at"].is_string(), "{call}");
        assert!(call["duration_ms"].as_f64().unwrap() >= 0.0);
        assert!(call["worker"].is_string(), "{call}");
        assert!(call["next_attempt_at"].is_null() && call["blocked_on"].is_null(), "{call}");
    })
    .await;
}

#[tokio::test]
async fn steps_that_have_not_begun_are_listed_too() {
    with_app(async |app| {
        let agent = held(app).await;
        let steps = json!([{"name": "one", "type": "agent", "config": {"agent": "held"}},
            {"name": "two", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("two", steps).await;
        let run = app.api.start("two", json!({})).await;
        agent.called("/held", 1).await;
        let shown = app.api.reaches(&run, "running").await;
        assert_eq!(
            (&shown["steps_total"], &shown["steps_done"]),
            (&json!(2), &json!(0)),
            "{shown}"
        );
        let statuses = app.api.statuses(&run).await;
        assert_eq!(statuses.last().unwrap(), "two=pending", "{statuses:?}");
        agent.release("/held");
        app.api.finished(&run).await;
    })
    .await;
}

#[tokio::test]
async fn cancel_is_accepted_then_known_then_too_late() {
    with_app(async |app| {
        let agent = held(app).await;
        let run = app.api.start("held", json!({})).await;
        agent.called("/held", 1).await;
        let cancel = format!("runs/{run}/cancel");
        app.api
            .post(&cancel, json!({"reason": "changed my mind"}))
            .await
            .of(202);
        let over = app.api.finished(&run).await;
        assert_eq!(over["status"], "cancelled");
        assert_eq!(over["cancel_reason"], "changed my mind");
        assert_eq!(over["cancelled_by"], "anonymous");
        app.api.post(&cancel, json!({})).await.of(200);
        agent.release("/held");
        let done = app.api.execute("held", json!({})).await;
        let cancel = format!("runs/{}/cancel", done["id"].as_str().unwrap());
        app.api.post(&cancel, json!({})).await.problem(409);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_nobody_took_is_cancelled_at_once() {
    with_app(async |app| {
        held(app).await;
        let run = app
            .api
            .start_with("held", json!({"queue": "nobody-listens"}))
            .await;
        app.api
            .post(&format!("runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        let over = app.api.finished(&run).await;
        assert_eq!(over["status"], "cancelled");
        assert!(over["started_at"].is_null(), "{over}");
    })
    .await;
}

#[tokio::test]
async fn retry_is_for_runs_that_ended_badly() {
    with_app(async |app| {
        let agent = held(app).await;
        let running = app.api.start("held", json!({})).await;
        agent.called("/held", 1).await;
        app.api
            .post(&format!("runs/{running}/retry"), json!({}))
            .await
            .problem(409);
        agent.release("/held");
        app.api.finished(&running).await;
        app.api
            .post(&format!("runs/{running}/retry"), json!({}))
            .await
            .problem(409);
    })
    .await;
}

#[tokio::test]
async fn retry_from_an_unknown_step_is_refused() {
    with_app(async |app| {
        let agent = held(app).await;
        agent.on("/held", |_| Reply::Json(400, json!({})));
        let run = app.api.execute("held", json!({})).await;
        assert_eq!(run["status"], "failed");
        let path = format!("runs/{}/retry", run["id"].as_str().unwrap());
        let answer = app
            .api
            .post(&path, json!({"from_step": "nobody"}))
            .await
            .problem(422);
        answer.finds("/from_step", "nobody");
        app.api.post(&path, json!({"from": "s"})).await.problem(400);
        assert_eq!(
            app.api.run(run["id"].as_str().unwrap()).await["generation"],
            1
        );
    })
    .await;
}

#[tokio::test]
async fn pause_resume_and_signal_of_a_run_that_is_over_are_refused() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        let id = run["id"].as_str().unwrap();
        app.api
            .post(&format!("runs/{id}/pause"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&format!("runs/{id}/resume"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({"payload": 1}))
            .await
            .problem(409);
        assert_eq!(app.api.run(id).await, run, "and changes nothing");
    })
    .await;
}

#[tokio::test]
async fn an_action_without_a_body_is_one_with_an_empty_body() {
    with_app(async |app| {
        let agent = held(app).await;
        let run = app.api.start("held", json!({})).await;
        agent.called("/held", 1).await;
        let path = format!("runs/{run}/cancel");
        app.api
            .send(app.api.request(reqwest::Method::POST, &path))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn the_audit_trail_pages_and_filters() {
    with_app(async |app| {
        let agent = held(app).await;
        agent.release("/held");
        let run = app.api.execute("held", json!({})).await;
        let id = run["id"].as_str().unwrap();
        let trail = app.api.audit(id).await;
        let numbers: Vec<_> = trail
            .iter()
            .map(|r| r["sequence"].as_i64().unwrap())
            .collect();
        let count = i64::try_from(numbers.len()).unwrap();
        assert_eq!(numbers, (1..=count).collect::<Vec<_>>());
        let page = app
            .api
            .get(&format!("runs/{id}/audit?limit=1"))
            .await
            .of(200)
            .body;
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        assert!(page["next_cursor"].is_string());
    })
    .await;
}
