//! The audit trail tells what happened, in order, without gaps.

use serde_json::json;

use crate::harness::{Agent, App, Reply, with_app};

#[tokio::test]
async fn a_plain_run_leaves_this_trail() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/a", 1, Reply::Json(503, json!({})));
        app.api.agent("a", &agent.url("/a")).await;
        let steps = json!([{"name": "call", "type": "agent", "config": {"agent": "a"}},
            {"name": "skip", "type": "transform", "when": "false", "config": {"value": 1}},
            {"name": "last", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let run = app
            .api
            .execute("w", json!({"secret": "payload-never-audited"}))
            .await;
        let id = run["id"].as_str().unwrap();
        let trail = app.api.audit(id).await;
        let actions = app.api.actions(id).await;
        assert_eq!(actions[0], "run.created");
        assert_eq!(actions.last().unwrap(), "run.completed");
        let at = |action: &str| {
            let found = actions.iter().position(|a| a == action);
            found.unwrap_or_else(|| panic!("no {action} in {actions:?}"))
        };
        assert!(at("run.started") < at("step.completed call"));
        assert!(at("step.completed call") < at("step.skipped skip"));
        assert!(at("step.skipped skip") < at("step.completed last"));
        let numbers: Vec<_> = trail
            .iter()
            .map(|r| r["sequence"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, (1..=trail.len() as u64).collect::<Vec<_>>());
        for record in &trail {
            for field in ["at", "actor", "action"] {
                assert!(record[field].is_string(), "{field} of {record}");
            }
        }
        assert_eq!(trail[0]["actor"], "anonymous");
        let worker = trail.last().unwrap()["actor"].as_str().unwrap();
        assert!(worker.starts_with("worker:"), "{worker}");
        assert!(!json!(trail).to_string().contains("payload-never-audited"));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_that_a_stopping_worker_gives_back_is_on_the_trail() {
    let mut app = App::separate(1, &[("STEPWELL_GRACE_SECONDS", "1")]).await;
    let agent = Agent::start().await;
    agent.fails("/a", 1, Reply::Never);
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
    app.api.workflow("w", steps).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    app.api.audit_says(&run, "step.started", "s").await;
    app.processes[1].stop().await;
    let given_back = app.api.audit_says(&run, "step.given_back", "s").await;
    assert_eq!(
        (&given_back["before"], &given_back["after"]),
        (&json!("running"), &json!("pending")),
        "{given_back}"
    );
    assert_eq!(given_back["detail"]["attempt"], 1, "{given_back}");
    assert!(given_back["detail"]["reason"].is_string(), "{given_back}");
    let by = given_back["actor"].as_str().unwrap();
    assert!(by.starts_with("worker:"), "{given_back}");
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    let trail = app.api.audit(&run).await;
    let numbers: Vec<_> = trail
        .iter()
        .map(|r| r["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, (1..=trail.len() as u64).collect::<Vec<_>>());
    assert_eq!(app.api.actions(&run).await.last().unwrap(), "run.completed");
    app.finish().await;
}

#[tokio::test]
async fn nobody_changes_the_audit() {
    with_app(async |app| {
        app.api.workflow("w", json!([{"name": "t", "type": "transform", "config": {"value": 1}}])).await;
        app.api.execute("w", json!({})).await;
        for sql in [
            "update stepwell.audit set actor = 'somebody else'",
            "delete from stepwell.audit",
            "truncate stepwell.audit",
        ] {
            let error = sqlx::query(sql).execute(&app.database.pool).await.expect_err(sql);
            assert!(error.to_string().contains("audit"), "{error}");
        }
        // Nor by the back door of a single partition.
        let partitions: Vec<String> = sqlx::query_scalar(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'stepwell.audit'::regclass",
        )
        .fetch_all(&app.database.pool)
        .await
        .unwrap();
        assert!(!partitions.is_empty());
        for partition in partitions {
            for sql in [format!("delete from {partition} where true"), format!("truncate {partition}")] {
                let done = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).execute(&app.database.pool).await;
                let changed = done.map(|d| d.rows_affected());
                assert!(changed.is_err() || changed.is_ok_and(|n| n == 0 && !sql.starts_with("truncate")), "{sql}");
            }
        }
    })
    .await;
}
