//! What the failure of a step does to its run.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

async fn run(app: &App, on_error: &str) -> Value {
    let steps = json!([
        {"name": "bad", "type": "transform", "config": {"value": "${1 / input.zero}"}, "on_error": on_error},
        {"name": "next", "type": "transform", "config": {"value": {
            "output": "${steps.bad.output}", "error": "${steps.bad.error}"}}},
    ]);
    app.api.workflow(on_error, steps).await;
    app.api.execute(on_error, json!({"zero": 0})).await
}

#[tokio::test]
async fn fail_fails_the_run_and_skips_the_rest() {
    with_app(async |app| {
        let run = run(app, "fail").await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("failed"), &Value::Null)
        );
        assert_eq!(run["error"]["type"], "expression");
        assert_eq!(run["error"]["step"], "bad");
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["bad=failed", "next=skipped"]
        );
    })
    .await;
}

#[tokio::test]
async fn continue_goes_on_and_shows_the_error() {
    with_app(async |app| {
        let run = run(app, "continue").await;
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["output"]["output"], Value::Null);
        assert_eq!(run["output"]["error"]["type"], "expression", "{run}");
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["bad=failed", "next=completed"]
        );
    })
    .await;
}

#[tokio::test]
async fn skip_rest_completes_the_run() {
    with_app(async |app| {
        let run = run(app, "skip_rest").await;
        assert_eq!(
            (&run["status"], &run["error"]),
            (&json!("completed"), &Value::Null),
            "{run}"
        );
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["bad=failed", "next=skipped"]
        );
    })
    .await;
}

#[tokio::test]
async fn a_failure_aborts_what_is_in_flight() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        agent.on("/bad", |_| {
            Reply::Held(Box::new(Reply::Json(400, json!({}))))
        });
        app.api.agent("slow", &agent.url("/slow")).await;
        app.api.agent("bad", &agent.url("/bad")).await;
        let steps = json!([
            {"name": "slow", "type": "agent", "config": {"agent": "slow"}, "needs": []},
            {"name": "bad", "type": "agent", "config": {"agent": "bad"}, "needs": []},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/slow", 1).await;
        agent.release("/bad");
        assert_eq!(app.api.finished(&run).await["status"], "failed");
        agent.aborted("/slow", 1).await;
        assert_eq!(
            app.api.statuses(&run).await,
            ["slow=cancelled", "bad=failed"]
        );
    })
    .await;
}

#[tokio::test]
async fn an_agent_that_was_removed_or_stopped_fails_the_step() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let id = app.api.agent("a", &agent.url("/a")).await;
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]),
            )
            .await;
        app.api.execute("w", json!({})).await;
        let body = json!({"name": "a", "url": agent.url("/a"), "status": "inactive"});
        app.api.put(&format!("agents/{id}"), body).await.of(200);
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(agent.calls("/a").len(), 1, "it is not called");
    })
    .await;
}

#[tokio::test]
async fn an_output_that_cannot_be_computed_fails_the_run() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api
            .workflow_with("w", steps, json!({"output": "${input.missing.deep}"}))
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("expression")),
            "{run}"
        );
    })
    .await;
}
