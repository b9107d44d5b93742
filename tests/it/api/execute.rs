//! Starting runs: alone, in batches, and what is refused.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

async fn one_step(app: &App) {
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": "${input}"}}]);
    app.api.workflow("w", steps).await;
}

#[tokio::test]
async fn execute_answers_202_with_the_run() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": "${input.x}"}}]);
        let workflow = app.api.workflow("w", steps).await;
        let body = json!({"input": {"x": 5}, "priority": 7, "labels": {"team": "a"}});
        let started = app.api.post("workflows/w/execute", body).await.of(202);
        let id = started.text("/id");
        assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 7);
        assert_eq!(started.header("location"), format!("/api/v1/runs/{id}"));
        assert_eq!(
            started.body["workflow_id"].as_str(),
            Some(workflow.as_str())
        );
        let run = app.api.finished(&id).await;
        for (field, value) in [
            ("workflow_name", json!("w")),
            ("version", json!(1)),
            ("status", json!("completed")),
            ("blocked_on", Value::Null),
            ("input", json!({"x": 5})),
            ("output", json!(5)),
            ("error", Value::Null),
            ("labels", json!({"team": "a"})),
            ("priority", json!(7)),
            ("queue", json!("default")),
            ("generation", json!(1)),
            ("parent_id", Value::Null),
            ("triggered_by", json!("anonymous")),
            ("cancelled_by", Value::Null),
            ("steps_total", json!(1)),
            ("steps_done", json!(1)),
        ] {
            assert_eq!(run[field], value, "{field} of {run}");
        }
        for field in ["created_at", "started_at", "finished_at"] {
            assert!(
                run[field].as_str().unwrap().ends_with('Z'),
                "{field} of {run}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn wait_ms_answers_200_when_it_finishes_in_time() {
    with_app(async |app| {
        one_step(app).await;
        let answer = app
            .api
            .post(
                "workflows/w/execute?wait_ms=20000",
                json!({"input": {"a": 1}}),
            )
            .await
            .of(200);
        assert_eq!(answer.body["status"], "completed");
        assert_eq!(answer.body["output"], json!({"a": 1}));
        let agent = Agent::start().await;
        agent.on("/held", |_| Reply::held());
        app.api.agent("held", &agent.url("/held")).await;
        app.api
            .workflow(
                "slow",
                json!([{"name": "s", "type": "agent", "config": {"agent": "held"}}]),
            )
            .await;
        let answer = app
            .api
            .post("workflows/slow/execute?wait_ms=50", json!({}))
            .await
            .of(202);
        assert!(answer.body["finished_at"].is_null(), "{}", answer.raw);
        agent.release("/held");
        app.api.finished(&answer.text("/id")).await;
        for wrong in ["60001", "-1", "soon"] {
            app.api
                .post(&format!("workflows/w/execute?wait_ms={wrong}"), json!({}))
                .await
                .problem(400);
        }
    })
    .await;
}

#[tokio::test]
async fn runs_are_created_by_naming_the_workflow() {
    with_app(async |app| {
        one_step(app).await;
        let answer = app
            .api
            .post("runs", json!({"workflow": "w", "input": 3}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&answer.text("/id")).await["output"], 3);
        app.api
            .post("runs", json!({"workflow": "nobody", "input": 3}))
            .await
            .problem(404);
        app.api
            .post("runs", json!({"input": 3}))
            .await
            .problem(400)
            .finds("", "workflow");
    })
    .await;
}

#[tokio::test]
async fn an_input_that_breaks_the_schema_is_refused_with_every_finding() {
    with_app(async |app| {
        let schema = json!({"type": "object", "required": ["name"], "properties": {
            "name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}}});
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api
            .workflow_with("w", steps, json!({"input_schema": schema}))
            .await;
        let body = json!({"input": {"age": -1}});
        let answer = app.api.post("workflows/w/execute", body).await.problem(422);
        assert_eq!(
            answer.body["errors"].as_array().unwrap().len(),
            2,
            "{}",
            answer.raw
        );
        assert!(
            answer.pointers().contains(&"/input/age".to_owned()),
            "{}",
            answer.raw
        );
        app.api
            .post(
                "workflows/w/execute",
                json!({"input": {"name": "x", "age": 1}}),
            )
            .await
            .of(202);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            1
        );
    })
    .await;
}

#[tokio::test]
async fn options_out_of_range_are_refused() {
    with_app(async |app| {
        one_step(app).await;
        for (option, value) in [
            ("priority", json!(101)),
            ("priority", json!(-101)),
            ("timeout_ms", json!(0)),
            ("queue", json!("")),
            ("dedupe_key", json!("")),
            ("labels", json!({"": "x"})),
        ] {
            let answer = app
                .api
                .post("workflows/w/execute", json!({option: value}))
                .await
                .problem(422);
            assert!(
                answer.pointers()[0].starts_with(&format!("/{option}")),
                "{}",
                answer.raw
            );
        }
        for (option, value) in [
            ("priority", json!("high")),
            ("run_at", json!("tomorrow")),
            ("labels", json!([])),
        ] {
            app.api
                .post("workflows/w/execute", json!({option: value}))
                .await
                .problem(400);
        }
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_all_or_nothing() {
    with_app(async |app| {
        one_step(app).await;
        let runs: Vec<_> = (0..500).map(|n| json!({"workflow": "w", "input": n})).collect();
        let answer = app.api.post("runs/batch", json!({"runs": runs})).await.of(202);
        let items = answer.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 500);
        assert!(items.iter().all(|item| item["status"] == "pending"), "{}", answer.raw);
        let last = app.api.finished(items[499]["id"].as_str().unwrap()).await;
        assert_eq!(last["output"], 499, "in order");
        for item in items {
            app.api.finished(item["id"].as_str().unwrap()).await;
        }
        let bad = json!({"runs": [{"workflow": "w", "input": 1}, {"workflow": "nobody"}, {"workflow": "no-one"}]});
        let answer = app.api.post("runs/batch", bad).await;
        assert!([404, 422].contains(&answer.status), "{}", answer.raw);
        answer.finds("/runs/1/workflow", "nobody").finds("/runs/2/workflow", "no-one");
        assert_eq!(app.database.number("select count(*) from stepwell.run").await, 500);
    })
    .await;
}

#[tokio::test]
async fn a_batch_has_a_limit() {
    with_app(async |app| {
        one_step(app).await;
        let runs: Vec<_> = (0..10_001).map(|_| json!({"workflow": "w"})).collect();
        let answer = app
            .api
            .post("runs/batch", json!({"runs": runs}))
            .await
            .problem(422);
        assert!(
            answer.raw.contains("10000") || answer.raw.contains("10,000"),
            "{}",
            answer.raw
        );
        app.api
            .post("runs/batch", json!({"runs": []}))
            .await
            .problem(422);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            0
        );
    })
    .await;
}

#[tokio::test]
async fn one_live_run_per_dedupe_key() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/held", |_| Reply::held());
        app.api.agent("held", &agent.url("/held")).await;
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "agent", "config": {"agent": "held"}}]),
            )
            .await;
        let body = json!({"dedupe_key": "order-1"});
        let first = app.api.start_with("w", body.clone()).await;
        agent.called("/held", 1).await;
        let second = app
            .api
            .post("workflows/w/execute", body.clone())
            .await
            .problem(409);
        assert!(
            second.raw.contains(&first),
            "it names the run: {}",
            second.raw
        );
        app.api
            .start_with("w", json!({"dedupe_key": "order-2"}))
            .await;
        agent.release("/held");
        app.api.finished(&first).await;
        let third = app.api.start_with("w", body).await;
        assert_ne!(third, first);
        app.api.finished(&third).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_with_a_dedupe_key_twice_is_refused() {
    with_app(async |app| {
        one_step(app).await;
        let runs =
            json!([{"workflow": "w", "dedupe_key": "k"}, {"workflow": "w", "dedupe_key": "k"}]);
        app.api
            .post("runs/batch", json!({"runs": runs}))
            .await
            .problem(422)
            .finds("/runs/1/dedupe_key", "same key");
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            0
        );
    })
    .await;
}
