//! In which order steps run.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

/// A step that calls the path of its own name on the agent.
fn call(name: &str, more: Value) -> Value {
    let mut step = json!({"name": name, "type": "agent", "config": {"agent": name}});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    step
}

async fn agents(app: &App, names: &[&str]) -> Agent {
    let agent = Agent::start().await;
    for name in names {
        agent.on(&format!("/{name}"), |_| Reply::held());
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
    }
    agent
}

#[tokio::test]
async fn without_needs_each_waits_for_the_one_before() {
    with_app(async |app| {
        let agent = agents(app, &["a", "b", "c"]).await;
        app.api
            .workflow(
                "w",
                json!([
                    call("a", json!({})),
                    call("b", json!({})),
                    call("c", json!({}))
                ]),
            )
            .await;
        let run = app.api.start("w", json!({})).await;
        for name in ["a", "b", "c"] {
            let path = format!("/{name}");
            agent.called(&path, 1).await;
            assert_eq!(agent.all().last().unwrap().path, path);
            agent.release(&path);
        }
        assert_eq!(app.api.finished(&run).await["status"], "completed");
        assert_eq!(agent.all().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn needs_join_what_ran_side_by_side() {
    with_app(async |app| {
        let agent = agents(app, &["left", "right", "join"]).await;
        let steps = json!([
            call("left", json!({"needs": []})),
            call("right", json!({"needs": []})),
            call("join", json!({"needs": ["left", "right"]}))
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/left", 1).await;
        agent.called("/right", 1).await;
        agent.release("/left");
        app.api.audit_says(&run, "step.completed", "left").await;
        assert_eq!(agent.calls("/join").len(), 0, "the right one is not done");
        agent.release("/right");
        agent.called("/join", 1).await;
        agent.release("/join");
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn equal_sequence_numbers_run_together_after_all_lower_ones() {
    with_app(async |app| {
        let agent = agents(app, &["a", "b", "c", "d"]).await;
        let steps = json!([
            call("d", json!({"sequence": 30})),
            call("b", json!({"sequence": 10})),
            call("a", json!({"sequence": 10})),
            call("c", json!({"sequence": 20}))
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/a", 1).await;
        agent.called("/b", 1).await;
        agent.release("/a");
        app.api.audit_says(&run, "step.completed", "a").await;
        assert_eq!(agent.calls("/c").len(), 0);
        agent.release("/b");
        agent.called("/c", 1).await;
        assert_eq!(agent.calls("/d").len(), 0);
        agent.release("/c");
        agent.called("/d", 1).await;
        agent.release("/d");
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn the_run_waits_for_an_async_step_the_later_ones_do_not() {
    with_app(async |app| {
        let agent = agents(app, &["slow", "next"]).await;
        let steps = json!([
            call("slow", json!({"sequence": 1, "execution_type": "async"})),
            call("next", json!({"sequence": 2}))
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        agent.called("/slow", 1).await;
        agent.called("/next", 1).await;
        agent.release("/next");
        app.api.audit_says(&run, "step.completed", "next").await;
        assert!(app.api.run(&run).await["finished_at"].is_null());
        agent.release("/slow");
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn max_parallel_bounds_what_is_in_flight() {
    with_app(async |app| {
        let names = ["a", "b", "c", "d", "e"];
        let agent = agents(app, &names).await;
        let steps: Vec<_> = names
            .iter()
            .map(|name| call(name, json!({"needs": []})))
            .collect();
        app.api
            .workflow_with("w", json!(steps), json!({"max_parallel": 2}))
            .await;
        let run = app.api.start("w", json!({})).await;
        for done in 0..names.len() {
            let expected = (done + 2).min(names.len());
            crate::harness::until("two are in flight", crate::harness::PATIENCE, async || {
                (agent.all().len() >= expected).then_some(())
            })
            .await;
            assert_eq!(agent.all().len(), expected);
            agent.release(&agent.all()[done].path);
        }
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn a_step_whose_when_does_not_hold_is_skipped() {
    with_app(async |app| {
        let steps = json!([
            {"name": "a", "type": "transform", "when": "input.go", "config": {"value": 1}},
            {"name": "b", "type": "transform", "config": {"value": "after"}},
        ]);
        app.api.workflow("w", steps).await;
        let run = app.api.execute("w", json!({"go": false})).await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("completed"), &json!("after"))
        );
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["a=skipped", "b=completed"]
        );
        let run = app.api.execute("w", json!({"go": true})).await;
        assert_eq!(
            app.api.statuses(run["id"].as_str().unwrap()).await,
            ["a=completed", "b=completed"]
        );
        // Neither true nor false.
        let run = app.api.execute("w", json!({"go": "maybe"})).await;
        assert_eq!(
            (&run["status"], &run["error"]["type"]),
            (&json!("failed"), &json!("expression"))
        );
    })
    .await;
}

#[tokio::test]
async fn values_keep_their_types_on_the_way() {
    with_app(async |app| {
        let value = json!({"n": 1, "f": 1.5, "big": 9_007_199_254_740_993_i64, "t": true, "z": null,
            "l": [1, "a"], "u": "Grüße 🌍"});
        let steps = json!([
            {"name": "whole", "type": "transform", "config": {"value": "${input}"}},
            {"name": "parts", "type": "transform", "config": {"value": {
                "n": "${input.n}", "text": "n=${input.n} ${input.u}", "list": ["${input.l[1]}"],
                "escaped": "$${input.n}", "sum": "${input.n + 1}"}}},
        ]);
        app.api
            .workflow_with(
                "w",
                steps,
                json!({"output": {"whole": "${steps.whole.output}",
            "parts": "${steps.parts.output}", "run": "${run.id}"}}),
            )
            .await;
        let run = app.api.execute("w", value.clone()).await;
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["output"]["whole"], value);
        assert_eq!(run["output"]["run"], run["id"]);
        let parts = &run["output"]["parts"];
        assert_eq!(parts["n"], 1);
        assert_eq!(parts["text"], "n=1 Grüße 🌍");
        assert_eq!(parts["list"], json!(["a"]));
        assert_eq!(parts["escaped"], "${input.n}");
        assert_eq!(parts["sum"], 2);
    })
    .await;
}
