//! New runs out of old ones: forks and appeals.

use serde_json::{Value, json};

use crate::harness::{Agent, Reply, with_app};

fn step(name: &str) -> Value {
    json!({"name": name, "type": "agent", "config": {"agent": name}})
}

#[tokio::test]
async fn a_fork_keeps_what_completed_and_runs_the_rest() {
    with_app(async |app| {
        let agent = Agent::start().await;
        for name in ["a", "b", "c"] {
            let path = format!("/{name}");
            agent.on(&path, move |_| Reply::Json(200, json!(name)));
            app.api.agent(name, &agent.url(&path)).await;
        }
        let map = json!({"name": "m", "type": "map", "config": {"items": "[1, 2]",
            "step": {"type": "transform", "config": {"value": "${item * 10}"}}}});
        app.api
            .workflow("w", json!([step("a"), map, step("b"), step("c")]))
            .await;
        let first = app.api.start("w", json!({"n": 1})).await;
        let path = format!("runs/{first}/fork");
        let before = app.api.finished(&first).await;
        let body = json!({"from_step": "b", "input": {"n": 2}});
        let answer = app.api.post(&path, body).await.of(202);
        let fork = answer.text("/id");
        assert_eq!(answer.text("/forked_from"), first);
        let over = app.api.finished(&fork).await;
        assert_eq!(over["status"], "completed", "{over}");
        assert_eq!(
            (&over["input"], &over["forked_from"]),
            (&json!({"n": 2}), &json!(first))
        );
        let calls = |path: &str| agent.calls(path).len();
        assert_eq!((calls("/a"), calls("/b"), calls("/c")), (1, 2, 2));
        let kept = app.api.step(&fork, "m").await;
        assert_eq!(
            (&kept["output"], &kept["attempt"]),
            (&json!([10, 20]), &json!(0))
        );
        assert_eq!(app.api.step(&fork, "a").await["output"], "a");
        // The old one is as it was, and both say so.
        assert_eq!(app.api.run(&first).await, before);
        let record = app.api.audit_says(&first, "run.forked", "").await;
        assert_eq!(record["detail"]["run_id"], fork, "{record}");
        let record = app.api.audit_says(&fork, "run.forked_from", "").await;
        assert_eq!(record["detail"]["run_id"], first, "{record}");
        app.api.audit_says(&fork, "step.kept", "m[1]").await;

        let other = json!({"id": "w", "name": "w", "steps": [step("a"), step("b"), step("d")]});
        app.api.agent("d", &agent.url("/d")).await;
        app.api.put("workflows/w", other).await.of(200);
        let lacks = json!({"from_step": "b", "version": 2});
        let answer = app.api.post(&path, lacks).await.problem(422);
        answer.finds("/version", "\"m\"");
        let answer = app
            .api
            .post(&path, json!({"from_step": "x"}))
            .await
            .problem(422);
        answer.finds("/from_step", "no step \"x\"");
    })
    .await;
}

#[tokio::test]
async fn a_fork_undoes_only_what_it_did_itself() {
    with_app(async |app| {
        let agent = Agent::start().await;
        for name in ["a", "b", "c", "undo"] {
            app.api.agent(name, &agent.url(&format!("/{name}"))).await;
        }
        agent.on("/c", |call| {
            Reply::Json(if call.number == 1 { 200 } else { 400 }, json!(1))
        });
        let undoable = |name: &str| {
            let mut step = step(name);
            step["compensate"] =
                json!({"type": "agent", "config": {"agent": "undo", "input": name}});
            step
        };
        app.api
            .workflow("w", json!([undoable("a"), undoable("b"), step("c")]))
            .await;
        let run = app.api.execute("w", json!({})).await;
        let path = format!("runs/{}/fork", run["id"].as_str().unwrap());
        let answer = app.api.post(&path, json!({"from_step": "b"})).await.of(202);
        let fork = answer.text("/id");
        assert_eq!(app.api.finished(&fork).await["status"], "failed");
        assert_eq!(
            app.api.statuses(&fork).await,
            [
                "a=completed",
                "b=completed",
                "c=failed",
                "undo:*=completed",
                "undo:b=completed"
            ]
        );
        assert_eq!(agent.calls("/undo").len(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_appeal_is_a_new_run_and_is_listed() {
    with_app(async |app| {
        let decide = json!([{"name": "d", "type": "decide", "config":
            {"rules": [{"when": "input.income > 50", "value": "yes"}], "default": "no"}}]);
        app.api.workflow("w", decide).await;
        let first = app.api.execute("w", json!({"income": 10})).await;
        let id = first["id"].as_str().unwrap();
        let path = format!("runs/{id}/appeal");
        let body = json!({"reason": "It was 60.", "input": {"income": 60}});
        let key = [("idempotency-key", "appeal-1")];
        let answer = app.api.post_with(&path, &key, body.clone()).await.of(202);
        let again = app.api.post_with(&path, &key, body).await.of(202);
        assert_eq!(answer.text("/id"), again.text("/id"));
        assert_eq!(answer.text("/original_run_id"), id);
        let new = answer.text("/run_id");
        let over = app.api.finished(&new).await;
        assert_eq!(over["output"]["value"], "yes", "{over}");
        assert_eq!(over["forked_from"], id, "{over}");
        assert_eq!(app.api.run(id).await, first);
        app.api.audit_says(id, "run.appealed", "").await;
        app.api.audit_says(&new, "run.appeal_of", "").await;
        let second = json!({"reason": "Again."});
        app.api.post(&path, second).await.of(202);
        for list in [format!("runs/{id}/appeals"), "appeals".to_owned()] {
            let page = app
                .api
                .get(&format!("{list}?limit=1&count=true"))
                .await
                .of(200);
            assert_eq!(page.text("/items/0/reason"), "Again.");
            let cursor = page.text("/next_cursor");
            let next = app
                .api
                .get(&format!("{list}?limit=1&cursor={cursor}"))
                .await
                .of(200);
            assert_eq!(next.text("/items/0/reason"), "It was 60.");
        }
        app.api
            .post(&path, json!({"reason": " "}))
            .await
            .problem(422);
        app.api
            .workflow(
                "wait",
                json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]),
            )
            .await;
        let live = app.api.start("wait", json!({})).await;
        let body = json!({"reason": "x"});
        app.api
            .post(&format!("runs/{live}/appeal"), body)
            .await
            .problem(409);
        app.api
            .post(&format!("runs/{live}/fork"), json!({}))
            .await
            .problem(409);
        app.api
            .post(&format!("runs/{live}/cancel"), json!({}))
            .await
            .of(202);
        app.api.finished(&live).await;
    })
    .await;
}
