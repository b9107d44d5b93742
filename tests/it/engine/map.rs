//! The same step over many items.

use serde_json::{Value, json};

use crate::harness::{Agent, Reply, with_app};

#[tokio::test]
async fn five_hundred_people_are_decided_and_counted() {
    with_app(async |app| {
        let steps = json!([{"name": "score", "type": "map", "config": {
            "items": "${input.people}",
            "step": {"type": "decide", "config": {
                "rules": [{"when": "item.income < 1000", "value": "ELIGIBLE"}], "default": "NOT_ELIGIBLE"}},
        }}]);
        let output = json!({
            "eligible": "${size(steps.score.output.filter(r, r.value == 'ELIGIBLE'))}",
            "not": "${size(steps.score.output.filter(r, r.value == 'NOT_ELIGIBLE'))}"});
        app.api.workflow_with("impact", steps, json!({"output": output})).await;
        let people: Vec<_> = (0..500).map(|n| json!({"income": n * 10})).collect();
        let run = app.api.execute("impact", json!({"people": people})).await;
        assert_eq!(run["status"], "completed", "{}", run["error"]);
        assert_eq!(run["output"], json!({"eligible": 100, "not": 400}));
    })
    .await;
}

#[tokio::test]
async fn results_are_in_order_and_max_parallel_holds() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |call| {
            Reply::Held(Box::new(Reply::Json(200, call.body["input"].clone())))
        });
        app.api.agent("a", &agent.url("/a")).await;
        let step = json!({"type": "agent", "config": {"agent": "a", "input": "${item * 2}"}});
        let map = json!({"items": "${input}", "max_parallel": 3, "step": step});
        app.api
            .workflow("w", json!([{"name": "m", "type": "map", "config": map}]))
            .await;
        let run = app.api.start("w", json!([1, 2, 3, 4, 5, 6, 7])).await;
        for done in 0..7 {
            let expected = (done + 3).min(7);
            agent.called("/a", expected).await;
            assert_eq!(agent.calls("/a").len(), expected);
            agent.release_first("/a", done + 1);
        }
        let run = app.api.finished(&run).await;
        assert_eq!(run["output"], json!([2, 4, 6, 8, 10, 12, 14]));
        let names: std::collections::BTreeSet<_> = agent
            .calls("/a")
            .iter()
            .map(|call| call.body["step"].to_string())
            .collect();
        assert!(names.contains("\"m[6]\""), "{names:?}");
        let keys: std::collections::BTreeSet<_> = agent
            .calls("/a")
            .iter()
            .map(|call| call.header("idempotency-key").to_owned())
            .collect();
        assert_eq!(keys.len(), 7, "one key per item");
    })
    .await;
}

#[tokio::test]
async fn so_many_items_may_fail_and_no_more() {
    with_app(async |app| {
        let step = json!({"type": "transform", "config": {"value": "${10 / item}"}});
        for (tolerated, status) in [(0, "failed"), (1, "failed"), (2, "completed")] {
            let map = json!({"items": "${input}", "tolerated_failures": tolerated, "step": step});
            let name = format!("w{tolerated}");
            app.api
                .workflow(&name, json!([{"name": "m", "type": "map", "config": map}]))
                .await;
            let run = app.api.execute(&name, json!([0, 5, 0, 2])).await;
            assert_eq!(run["status"], status, "{run}");
            if status == "completed" {
                assert_eq!(run["output"], json!([Value::Null, 2, Value::Null, 5]));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_item_is_tried_again_alone() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |call| {
            let shaky = call.body["input"] == 2 && call.body["attempt"] == 1;
            if shaky {
                Reply::Json(503, json!({}))
            } else {
                Reply::Json(200, call.body["input"].clone())
            }
        });
        app.api.agent("a", &agent.url("/a")).await;
        let step = json!({"type": "agent", "config": {"agent": "a", "input": "${item}"}});
        let map = json!({"items": "${input}", "step": step});
        app.api
            .workflow("w", json!([{"name": "m", "type": "map", "config": map}]))
            .await;
        let run = app.api.execute("w", json!([1, 2, 3])).await;
        assert_eq!(run["output"], json!([1, 2, 3]), "{run}");
        assert_eq!(agent.calls("/a").len(), 4);
    })
    .await;
}

#[tokio::test]
async fn no_items_give_an_empty_list_and_no_list_fails() {
    with_app(async |app| {
        let map = json!({"items": "${input}", "step": {"type": "transform", "config": {"value": "${item}"}}});
        app.api.workflow("w", json!([{"name": "m", "type": "map", "config": map}])).await;
        let run = app.api.execute("w", json!([])).await;
        assert_eq!((&run["status"], &run["output"]), (&json!("completed"), &json!([])), "{run}");
        let run = app.api.execute("w", json!({"not": "a list"})).await;
        assert_eq!(run["status"], "failed", "{run}");
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_items_fit_and_one_more_does_not() {
    with_app(async |app| {
        let map = json!({"items": "${input}", "step": {"type": "transform", "config": {"value": "${item}"}}});
        app.api.workflow("w", json!([{"name": "m", "type": "map", "config": map}])).await;
        let items: Vec<_> = (0..10_000).collect();
        let run = app.api.execute("w", json!(items)).await;
        assert_eq!(run["status"], "completed", "{}", run["error"]);
        assert_eq!(run["output"], json!(items));
        let items: Vec<_> = (0..10_001).collect();
        let run = app.api.execute("w", json!(items)).await;
        assert_eq!(run["status"], "failed", "{}", run["status"]);
        let message = run["error"]["message"].as_str().unwrap();
        assert!(message.contains("10000") || message.contains("10,000"), "{message}");
    })
    .await;
}

#[tokio::test]
async fn items_may_be_child_runs() {
    with_app(async |app| {
        let steps =
            json!([{"name": "t", "type": "transform", "config": {"value": "${input.n * 10}"}}]);
        app.api.workflow("child", steps).await;
        let map = json!({"items": "${input}", "workflow": "child"});
        let step =
            json!({"type": "workflow", "config": {"workflow": "child", "input": {"n": "${item}"}}});
        let map = json!({"items": map["items"], "step": step});
        app.api
            .workflow("w", json!([{"name": "m", "type": "map", "config": map}]))
            .await;
        let run = app.api.execute("w", json!([1, 2, 3])).await;
        assert_eq!(run["output"], json!([10, 20, 30]), "{run}");
        let id = run["id"].as_str().unwrap();
        let children = app
            .api
            .get(&format!("runs?parent_id={id}"))
            .await
            .of(200)
            .body;
        assert_eq!(children["items"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn no_list_step_or_run_comes_to_more_than_a_payload() {
    with_app(async |app| {
        let text = "x".repeat(1_500_000);
        let copies = json!(vec!["${input.text}"; 3]);
        let value = |value: &Value| json!({"type": "transform", "config": {"value": value}});
        let map = json!({"items": "[1, 2, 3]", "step": value(&json!("${input.text}"))});
        let one = json!({"name": "t", "type": "transform", "config": {"value": 1}});
        let cases = [
            (
                "map",
                json!([{"name": "s", "type": "map", "config": map}]),
                json!({}),
                "output",
            ),
            (
                "step",
                json!([{"name": "s", "type": "transform", "config": {"value": copies}}]),
                json!({}),
                "output",
            ),
            (
                "call",
                json!([{"name": "s", "type": "task", "config": {"task": "t", "input": copies}}]),
                json!({}),
                "input",
            ),
            ("run", json!([one]), json!({"output": copies}), "output"),
        ];
        for (slug, steps, more, side) in cases {
            app.api.workflow_with(slug, steps, more).await;
            let run = app.api.execute(slug, json!({"text": text})).await;
            let error = &run["error"];
            assert_eq!(run["status"], "failed", "{slug}: {error}");
            assert_eq!(
                error["type"],
                format!("{side}_too_large"),
                "{slug}: {error}"
            );
            assert!(
                error["message"].as_str().unwrap().contains("4194304 bytes"),
                "{slug}: {error}"
            );
            let expected = if slug == "run" {
                Value::Null
            } else {
                json!("s")
            };
            assert_eq!(error["step"], expected, "{slug}: {error}");
            let id = run["id"].as_str().unwrap();
            if slug != "run" {
                assert_eq!(app.api.step(id, "s").await["output"], Value::Null);
            }
        }
    })
    .await;
}
