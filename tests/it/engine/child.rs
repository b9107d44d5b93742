//! Runs that start runs.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

async fn parent(app: &App, wait: bool, child_steps: Value) {
    app.api.workflow("child", child_steps).await;
    let config = json!({"workflow": "child", "input": {"n": "${input.n}"}, "wait": wait});
    app.api
        .workflow(
            "parent",
            json!([{"name": "c", "type": "workflow", "config": config}]),
        )
        .await;
}

async fn child_of(app: &App, run: &Value) -> Value {
    let path = format!("runs?parent_id={}", run["id"].as_str().unwrap());
    app.api.get(&path).await.of(200).body["items"][0].clone()
}

#[tokio::test]
async fn the_childs_output_is_the_steps() {
    with_app(async |app| {
        parent(
            app,
            true,
            json!([{"name": "t", "type": "transform", "config": {"value": "${input.n + 1}"}}]),
        )
        .await;
        let run = app.api.execute("parent", json!({"n": 4})).await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("completed"), &json!(5)),
            "{run}"
        );
        let child = child_of(app, &run).await;
        assert_eq!(
            (&child["workflow_name"], &child["parent_id"]),
            (&json!("child"), &run["id"])
        );
        let by = child["triggered_by"].as_str().unwrap();
        assert!(by.contains(run["id"].as_str().unwrap()), "{by}");
    })
    .await;
}

#[tokio::test]
async fn a_waiting_parent_says_on_which_child() {
    with_app(async |app| {
        parent(
            app,
            true,
            json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]),
        )
        .await;
        let run = app.api.start("parent", json!({"n": 1})).await;
        let shown = app.api.reaches(&run, "waiting").await;
        assert_eq!(shown["blocked_on"]["kind"], "child", "{shown}");
        let child = child_of(app, &shown).await["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert_eq!(shown["blocked_on"]["detail"], json!(child));
        app.api.reaches(&child, "waiting").await;
        app.api
            .post(&format!("runs/{child}/signals/go"), json!({"payload": 9}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["output"], 9);
    })
    .await;
}

#[tokio::test]
async fn a_child_that_fails_fails_the_step() {
    with_app(async |app| {
        parent(
            app,
            true,
            json!([{"name": "t", "type": "transform", "config": {"value": "${1 / input.n}"}}]),
        )
        .await;
        let run = app.api.execute("parent", json!({"n": 0})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("child_failed")),
            "{run}"
        );
        assert_eq!(run["error"]["step"], "c");
    })
    .await;
}

#[tokio::test]
async fn without_wait_the_parent_goes_on() {
    with_app(async |app| {
        parent(
            app,
            false,
            json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]),
        )
        .await;
        let run = app.api.execute("parent", json!({"n": 1})).await;
        assert_eq!(run["status"], "completed", "{run}");
        let child = run["output"]["run_id"].as_str().unwrap().to_owned();
        let by = app.api.run(&child).await["triggered_by"].clone();
        assert_eq!(by, format!("run:{}", run["id"].as_str().unwrap()));
        app.api.reaches(&child, "waiting").await;
        app.api
            .post(&format!("runs/{child}/cancel"), json!({}))
            .await
            .of(202);
        app.api.finished(&child).await;
    })
    .await;
}

#[tokio::test]
async fn cancelling_the_parent_cancels_the_child() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| Reply::Never);
        app.api.agent("slow", &agent.url("/slow")).await;
        parent(
            app,
            true,
            json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]),
        )
        .await;
        let run = app.api.start("parent", json!({"n": 1})).await;
        agent.called("/slow", 1).await;
        app.api
            .post(&format!("runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        let run = app.api.finished(&run).await;
        assert_eq!(run["status"], "cancelled");
        let child = child_of(app, &run).await["id"].as_str().unwrap().to_owned();
        assert_eq!(app.api.finished(&child).await["status"], "cancelled");
        agent.aborted("/slow", 1).await;
    })
    .await;
}

#[tokio::test]
async fn a_workflow_that_is_not_there_fails_the_step() {
    with_app(async |app| {
        let config = json!({"workflow": "${input.name}", "input": {}});
        app.api
            .workflow(
                "parent",
                json!([{"name": "c", "type": "workflow", "config": config}]),
            )
            .await;
        let run = app.api.execute("parent", json!({"name": "nobody"})).await;
        assert_eq!(run["status"], "failed", "{run}");
        assert!(
            run["error"]["message"].as_str().unwrap().contains("nobody"),
            "{run}"
        );
    })
    .await;
}
