//! What SQL cannot check, the driver checks before it begins anything.

use serde_json::{Value, json};

use crate::harness::{App, with_app};
use crate::sql::psql::Psql;

async fn strict(app: &App) {
    let schema = json!({"type": "object", "required": ["age"], "properties": {
        "age": {"type": "integer"}, "name": {"type": "string"}, "a": {"type": "null"}, "b": {"type": "null"}}});
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": "${input.age}"}}]);
    app.api
        .workflow_with("w", steps, json!({"input_schema": schema}))
        .await;
}

#[tokio::test]
async fn an_input_that_breaks_the_schema_fails_its_run() {
    with_app(async |app| {
        strict(app).await;
        let psql = Psql::new(&app.database);
        let id = psql
            .run(r#"select stepwell.execute('w', '{"age": "old", "name": 1, "a": 1, "b": 1}');"#);
        let run = app.api.finished(&id).await;
        assert_eq!(run["status"], "failed");
        assert_eq!(run["error"]["type"], "input_invalid");
        assert_eq!(run["error"]["retryable"], false);
        let message = run["error"]["message"].as_str().unwrap();
        for words in ["/input/age", "not of type", "and 1 more"] {
            assert!(message.contains(words), "{message}");
        }
        assert!(
            !message.contains("old"),
            "values are not repeated: {message}"
        );
        assert_eq!(run["started_at"], Value::Null);
        assert_eq!(app.api.statuses(&id).await, ["t=skipped"]);
        assert_eq!(
            app.api.actions(&id).await,
            ["run.created", "step.skipped t", "run.failed"]
        );
        // Its next generation has the same input.
        app.api
            .post(&format!("runs/{id}/retry"), json!({}))
            .await
            .of(202);
        let again = app.api.finished(&id).await;
        assert_eq!(
            (&again["generation"], &again["error"]["type"]),
            (&json!(2), &json!("input_invalid"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_input_that_fits_is_checked_and_goes_on() {
    with_app(async |app| {
        strict(app).await;
        let psql = Psql::new(&app.database);
        let id = psql.run(r#"select stepwell.execute('w', '{"age": 7}');"#);
        assert_eq!(app.api.finished(&id).await["output"], 7);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.inbox")
                .await,
            0
        );
        app.api
            .post("workflows/w/execute", json!({"input": {"age": "old"}}))
            .await
            .problem(422);
    })
    .await;
}

#[tokio::test]
async fn a_run_that_awaits_its_check_is_cancelled_where_it_stands() {
    let app = App::separate(0, &[]).await;
    strict(&app).await;
    let psql = Psql::new(&app.database);
    for by_rest in [true, false] {
        let id = psql.run("select stepwell.execute('w', '{}');");
        if by_rest {
            app.api
                .post(&format!("runs/{id}/cancel"), json!({}))
                .await
                .of(202);
        } else {
            assert_eq!(
                psql.run(&format!("select stepwell.cancel_run('{id}');")),
                "cancelled"
            );
        }
        assert_eq!(app.api.run(&id).await["status"], "cancelled");
    }
    assert_eq!(
        app.database
            .number("select count(*) from stepwell.inbox")
            .await,
        0
    );
    app.finish().await;
}
