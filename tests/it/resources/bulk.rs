//! Many runs at once, each as by hand.

use serde_json::json;

use crate::harness::with_app;

#[tokio::test]
async fn runs_are_cancelled_and_retried_by_filter_and_by_id() {
    with_app(async |app| {
        let wait = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
        app.api.workflow("w", wait.clone()).await;
        app.api.workflow("other", wait).await;
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(app.api.start_with("w", json!({"labels": {"team": "a"}})).await);
        }
        let spared = app.api.start("other", json!({})).await;
        for id in ids.iter().chain([&spared]) {
            app.api.reaches(id, "waiting").await;
        }
        let answer = app
            .api
            .post("runs/cancel", json!({"filter": {"workflow_id": "w", "labels": {"team": "a"}}, "reason": "wrong"}))
            .await
            .of(200);
        assert_eq!(answer.body, json!({"matched": 3, "cancelled": 3, "skipped": {}, "more": false}));
        for id in &ids {
            let run = app.api.finished(id).await;
            assert_eq!((&run["status"], &run["cancel_reason"]), (&json!("cancelled"), &json!("wrong")));
            // As by hand: with the request's id.
            let trail = app.api.audit(id).await;
            let record = trail.iter().find(|r| r["action"] == "run.cancelled").unwrap();
            assert_eq!(record["request_id"], answer.header("x-request-id"));
        }
        assert_eq!(app.api.run(&spared).await["status"], "waiting");

        let missing = "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41";
        let mixed = json!({"ids": [ids[0], ids[0], spared, missing]});
        let answer = app.api.post("runs/retry", mixed).await.of(200).body;
        assert_eq!(
            answer,
            json!({"matched": 3, "retried": 1, "skipped": {"not_found": 1, "not_over": 1}, "more": false})
        );
        app.api.reaches(&ids[0], "waiting").await;
        let answer = app.api.post("runs/retry", json!({"filter": {"workflow_id": "w"}})).await.of(200).body;
        assert_eq!(answer["retried"], 2);
        let everything = json!({"filter": {"status": ["pending", "running", "waiting", "paused"]}});
        assert_eq!(app.api.post("runs/cancel", everything).await.of(200).body["matched"], 4);
        for id in ids.iter().chain([&spared]) {
            app.api.finished(id).await;
        }
        let answer = app.api.post("runs/cancel", json!({"ids": [spared]})).await.of(200).body;
        assert_eq!(answer["skipped"], json!({"already_cancelled": 1}));
    })
    .await;
}

#[tokio::test]
async fn what_is_meant_must_be_said() {
    with_app(async |app| {
        for (body, pointer) in [
            (json!({}), ""),
            (
                json!({"ids": ["0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41"], "filter": {"queue": "a"}}),
                "",
            ),
            (json!({"ids": []}), "/ids"),
            (json!({"filter": {}}), "/filter"),
            (json!({"filter": {"status": ["lost"]}}), "/filter/status/0"),
            (
                json!({"filter": {"labels": {"a b": "c"}}}),
                "/filter/labels/a b",
            ),
        ] {
            for path in ["runs/cancel", "runs/retry"] {
                let problem = app.api.post(path, body.clone()).await.problem(422);
                assert_eq!(problem.pointers(), [pointer], "{body}");
            }
        }
        app.api
            .post("runs/cancel", json!({"filter": {"colour": "red"}}))
            .await
            .problem(400);
        let none = app
            .api
            .post("runs/cancel", json!({"filter": {"workflow_id": "nobody"}}))
            .await
            .of(200);
        assert_eq!(none.body["matched"], 0);
    })
    .await;
}
