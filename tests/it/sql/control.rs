//! Cancel, retry, signal, pause and resume by SQL, as REST sees them.

use serde_json::json;

use crate::harness::{Agent, App, Reply, with_app};
use crate::sql::psql::Psql;

#[tokio::test]
async fn a_paused_run_starts_nothing_until_it_is_resumed() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/one", |_| Reply::held());
        app.api.agent("one", &agent.url("/one")).await;
        app.api.agent("two", &agent.url("/two")).await;
        let steps = json!([{"name": "one", "type": "agent", "config": {"agent": "one"}},
            {"name": "two", "type": "agent", "config": {"agent": "two"}}]);
        app.api.workflow("w", steps).await;
        let psql = Psql::new(&app.database).after("set stepwell.request_id = 'r-1'");
        let id = psql.run("select stepwell.execute('w', '{}');");
        agent.called("/one", 1).await;
        assert_eq!(
            psql.run(&format!("select stepwell.pause_run('{id}');")),
            "running"
        );
        app.api.audit_says(&id, "run.paused", "").await;
        agent.release("/one");
        app.api.audit_says(&id, "step.completed", "one").await;
        let paused = app.api.reaches(&id, "paused").await;
        assert_eq!(paused["blocked_on"]["kind"], "paused");
        assert_eq!(agent.calls("/two").len(), 0);
        psql.run(&format!("select stepwell.resume_run('{id}');"));
        assert_eq!(app.api.finished(&id).await["status"], "completed");
        for record in app.api.audit(&id).await {
            if ["run.paused", "run.resumed"].contains(&record["action"].as_str().unwrap()) {
                assert_eq!(
                    (&record["actor"], &record["request_id"]),
                    (&json!("sql:postgres"), &json!("r-1")),
                    "{record}"
                );
            }
        }
        let actions = app.api.actions(&id).await;
        assert!(
            actions.contains(&"run.paused".to_owned())
                && actions.contains(&"run.resumed".to_owned()),
            "{actions:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn a_signal_is_the_output_of_the_step_that_waits() {
    with_app(async |app| {
        let steps = json!([{"name": "ask", "type": "wait", "config": {"signal": "go"}}]);
        app.api.workflow("w", steps).await;
        let psql = Psql::new(&app.database);
        let id = app.api.start("w", json!({})).await;
        app.api.reaches(&id, "waiting").await;
        let status = psql.run(&format!(
            r#"select stepwell.signal_run('{id}', 'go', '{{"yes": [1, null]}}');"#
        ));
        assert_eq!(status, "running");
        assert_eq!(
            app.api.finished(&id).await["output"],
            json!({"yes": [1, null]})
        );
        let received = app.api.audit_says(&id, "signal.received", "ask").await;
        assert_eq!(received["actor"], "sql:postgres");
        // Within a transaction it is heard when that commits, and not at all when it is rolled back.
        let id = app.api.start("w", json!({})).await;
        app.api.reaches(&id, "waiting").await;
        psql.run(&format!(
            "begin; select stepwell.signal_run('{id}', 'go', '1'); rollback;"
        ));
        psql.run(&format!(
            "begin; select stepwell.signal_run('{id}', 'go', '2'); commit;"
        ));
        assert_eq!(app.api.finished(&id).await["output"], 2);
    })
    .await;
}

#[tokio::test]
async fn a_failed_run_is_retried_from_where_it_failed() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/b", 1, Reply::Json(400, json!({})));
        app.api.agent("a", &agent.url("/a")).await;
        app.api.agent("b", &agent.url("/b")).await;
        let steps = json!([{"name": "a", "type": "agent", "config": {"agent": "a"}},
            {"name": "b", "type": "agent", "config": {"agent": "b"}}]);
        app.api.workflow("w", steps).await;
        let psql = Psql::new(&app.database);
        let id = psql.run("select stepwell.execute('w', '{}');");
        assert_eq!(app.api.finished(&id).await["status"], "failed");
        assert_eq!(
            psql.run(&format!("select stepwell.retry_run('{id}');")),
            "pending"
        );
        let run = app.api.finished(&id).await;
        assert_eq!(
            (&run["status"], &run["generation"]),
            (&json!("completed"), &json!(2))
        );
        assert_eq!((agent.calls("/a").len(), agent.calls("/b").len()), (1, 2));
        let trail = app.api.audit(&id).await;
        let asked = trail
            .iter()
            .find(|r| r["action"] == "run.retry_requested")
            .unwrap();
        assert_eq!(
            (
                &asked["actor"],
                &asked["before"],
                &asked["after"],
                &asked["detail"]["generation"]
            ),
            (
                &json!("sql:postgres"),
                &json!("failed"),
                &json!("pending"),
                &json!(2)
            )
        );
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_stops_at_once() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |_| Reply::held());
        app.api.agent("a", &agent.url("/a")).await;
        app.api
            .workflow(
                "w",
                json!([{"name": "a", "type": "agent", "config": {"agent": "a"}}]),
            )
            .await;
        let psql = Psql::new(&app.database);
        let id = psql.run("select stepwell.execute('w', '{}');");
        agent.called("/a", 1).await;
        assert_eq!(
            psql.run(&format!("select stepwell.cancel_run('{id}', 'enough');")),
            "running"
        );
        let run = app.api.finished(&id).await;
        assert_eq!(
            (&run["status"], &run["cancelled_by"], &run["cancel_reason"]),
            (
                &json!("cancelled"),
                &json!("sql:postgres"),
                &json!("enough")
            )
        );
        assert_eq!(
            psql.run(&format!("select stepwell.cancel_run('{id}');")),
            "cancelled"
        );
    })
    .await;
}

#[tokio::test]
async fn a_child_that_nobody_began_is_cancelled_and_its_parent_hears_of_it() {
    let app = App::separate(1, &[]).await;
    app.api
        .workflow(
            "child",
            json!([{"name": "d", "type": "delay", "config": {"duration": 600}}]),
        )
        .await;
    app.api
        .workflow(
            "parent",
            json!([{"name": "c", "type": "workflow", "config": {"workflow": "child"}}]),
        )
        .await;
    let psql = Psql::new(&app.database);
    let parent = app.api.start("parent", json!({})).await;
    let waiting = app.api.reaches(&parent, "waiting").await;
    let child = waiting["blocked_on"]["detail"].as_str().unwrap().to_owned();
    app.api.reaches(&child, "waiting").await;
    psql.run(&format!("select stepwell.cancel_run('{child}', 'no');"));
    let run = app.api.finished(&parent).await;
    assert_eq!(
        (&run["status"], &run["error"]["type"]),
        (&json!("failed"), &json!("child_failed"))
    );
    app.finish().await;
}
