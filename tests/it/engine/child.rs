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

/// Runs a step that asks for a child and what its failure leads to; gives the run.
async fn asks(app: &App, slug: &str, child: Value, more: Value) -> Value {
    let mut step = json!({"name": "c", "type": "workflow", "config": child});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let after =
        json!({"name": "after", "type": "transform", "config": {"value": "${steps.c.error}"}});
    app.api.workflow(slug, json!([step, after])).await;
    app.api.execute(slug, json!({"name": "nobody"})).await
}

#[tokio::test]
async fn a_workflow_that_is_not_there_fails_the_step() {
    with_app(async |app| {
        for wait in [true, false] {
            let child = json!({"workflow": "${input.name}", "input": {}, "wait": wait});
            let slug = format!("fail-{wait}");
            let run = asks(app, &slug, child.clone(), json!({})).await;
            assert_eq!(run["status"], "failed", "{run}");
            assert_eq!(run["error"]["type"], "unknown_workflow", "{run}");
            assert_eq!(run["error"]["step"], "c", "{run}");
            let message = run["error"]["message"].as_str().unwrap();
            assert!(message.contains("`nobody`"), "{message}");
            let id = run["id"].as_str().unwrap();
            assert_eq!(app.api.statuses(id).await, ["c=failed", "after=skipped"]);

            let slug = format!("continue-{wait}");
            let run = asks(app, &slug, child, json!({"on_error": "continue"})).await;
            assert_eq!(run["status"], "completed", "{run}");
            assert_eq!(run["output"]["type"], "unknown_workflow", "{run}");
            let id = run["id"].as_str().unwrap();
            assert_eq!(app.api.statuses(id).await, ["c=failed", "after=completed"]);
            assert_eq!(app.api.actions(id).await[2], "step.failed c");
        }
    })
    .await;
}

#[tokio::test]
async fn an_inactive_workflow_and_a_version_that_is_not_there_fail_the_step() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("child", steps.clone()).await;
        // A name that is filled in is looked up when the step begins.
        let child = json!({"workflow": "${'child'}", "version": 9, "wait": false});
        let run = asks(app, "later", child, json!({})).await;
        assert_eq!(run["error"]["type"], "unknown_workflow", "{run}");
        assert!(
            run["error"]["message"]
                .as_str()
                .unwrap()
                .contains("version 9"),
            "{run}"
        );
        let child = json!({"workflow": "child", "wait": false});
        asks(app, "sleeping", child, json!({})).await;
        let body = json!({"name": "child", "steps": steps, "status": "inactive"});
        app.api.put("workflows/child", body).await.of(200);
        let run = app.api.execute("sleeping", json!({})).await;
        assert_eq!(run["error"]["type"], "unknown_workflow", "{run}");
        assert!(
            run["error"]["message"]
                .as_str()
                .unwrap()
                .contains("inactive"),
            "{run}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_input_that_does_not_fit_the_child_fails_the_step_in_one_sentence() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
        app.api
            .workflow_with("child", steps, json!({"input_schema": schema}))
            .await;
        for wait in [true, false] {
            let child = json!({"workflow": "child", "input": {"n": "text"}, "wait": wait});
            let run = asks(app, &format!("w-{wait}"), child, json!({})).await;
            assert_eq!(run["status"], "failed", "{run}");
            assert_eq!(run["error"]["type"], "child_input", "{run}");
            assert_eq!(run["error"]["step"], "c", "{run}");
            let message = run["error"]["message"].as_str().unwrap();
            assert!(
                message.starts_with(
                    "the input of this step does not fit the input_schema of the workflow `child` (at /n: "
                ),
                "{message}"
            );
            let step = app.api.step(run["id"].as_str().unwrap(), "c").await;
            assert_eq!(step["error"], run["error"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_child_was_not_there_may_be_retried() {
    with_app(async |app| {
        let child = json!({"workflow": "${input.name}", "wait": false});
        let run = asks(app, "parent", child, json!({})).await;
        assert_eq!(run["status"], "failed", "{run}");
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("nobody", steps).await;
        let id = run["id"].as_str().unwrap();
        app.api
            .post(&format!("runs/{id}/retry"), json!({}))
            .await
            .of(202);
        let run = app.api.finished(id).await;
        assert_eq!(run["status"], "completed", "{run}");
        let child = app.api.step(id, "c").await["output"]["run_id"].clone();
        let child = app.api.finished(child.as_str().unwrap()).await;
        assert_eq!(child["status"], "completed", "{child}");
    })
    .await;
}

#[tokio::test]
async fn a_child_that_was_cancelled_is_told_once() {
    with_app(async |app| {
        parent(
            app,
            true,
            json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]),
        )
        .await;
        let run = app.api.start("parent", json!({"n": 1})).await;
        let shown = app.api.reaches(&run, "waiting").await;
        let child = shown["blocked_on"]["detail"].as_str().unwrap().to_owned();
        app.api.reaches(&child, "waiting").await;
        app.api
            .post(&format!("runs/{child}/cancel"), json!({}))
            .await
            .of(202);
        let run = app.api.finished(&run).await;
        assert_eq!(
            (&run["error"]["type"], &run["error"]["message"]),
            (
                &json!("child_failed"),
                &json!(format!("the child run was cancelled ({child})"))
            ),
            "{run}"
        );
    })
    .await;
}
