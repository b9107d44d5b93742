//! JSON that clients leave with us is taken everywhere by the same measure.

use serde_json::{Value, json};

use crate::harness::{App, with_app};

/// What some reader would break at: too deep for Postgres, for our readers, for expressions; a number
/// and a text that are none; more values than memory is set aside for.
fn unreadable() -> Vec<String> {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    vec![
        nested(20_000),
        nested(500),
        nested(126),
        nested(101),
        "1e99999999999".into(),
        r#""\ud800""#.into(),
        format!("[{}1]", "1,".repeat(1_000_000)),
    ]
}

/// Sends a body that holds `here` where the JSON of the client stands, once for each.
async fn all_refused(app: &App, path: &str, body: &Value, pointer: &str) {
    for bad in unreadable() {
        let body = body.to_string().replace("\"here\"", &bad);
        let answer = app.api.post_raw(path, "application/json", body).await;
        if answer.status == 400 {
            // Where the body is read as a whole, it is not even well formed.
            answer.problem(400);
        } else {
            answer.problem(422).finds(pointer, "");
        }
    }
}

#[tokio::test]
async fn nothing_is_kept_that_nobody_could_read() {
    with_app(async |app| {
        let steps = json!([
            {"name": "ask", "type": "wait", "config": {"signal": "go"}, "needs": []},
            {"name": "print", "type": "external", "config": {"topic": "press"}, "needs": []},
        ]);
        app.api.workflow("w", steps).await;
        let route = json!({"category": "c", "workflow": "w", "auto": true});
        app.api.post("record-routes", route).await.of(201);
        let run = app.api.start("w", json!({})).await;
        let poll = json!({"wait_ms": 30_000});
        let items = app.api.post("external/press/poll", poll).await.of(200).body;
        let token = items["items"][0]["token"].as_str().unwrap();
        let record = json!({"source": "s", "category": "c", "payload": "here"});
        let schedule = json!({"name": "n", "workflow": "w", "cron": "0 0 1 1 *", "input": "here"});
        let appeal = json!({"reason": "r", "input": "here"});
        let trigger = json!({"workflow_id": "w", "payload": "here"});
        let batch = json!({"runs": [{"workflow": "w", "input": "here"}]});
        let before = app
            .database
            .number("select count(*) from stepwell.run")
            .await;
        for (path, body, pointer) in [
            ("records".to_owned(), record, "/payload"),
            ("schedules".to_owned(), schedule, "/input"),
            (
                "runs".to_owned(),
                json!({"workflow": "w", "input": "here"}),
                "/input",
            ),
            ("runs/batch".to_owned(), batch, "/runs/0/input"),
            ("trigger".to_owned(), trigger, "/payload"),
            (format!("runs/{run}/appeal"), appeal, "/input"),
            (
                format!("runs/{run}/signals/go"),
                json!({"payload": "here"}),
                "/payload",
            ),
            (
                format!("external/{token}/complete"),
                json!({"output": "here"}),
                "/output",
            ),
        ] {
            all_refused(app, &path, &body, pointer).await;
        }
        for table in ["record", "schedule", "appeal"] {
            let count = format!("select count(*) from stepwell.{table}");
            assert_eq!(app.database.number(&count).await, 0, "{table}");
        }
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            before
        );
        // At the bound itself it is taken, and comes through.
        let deepest = "[".repeat(100) + &"]".repeat(100);
        let payload = format!("{{\"payload\": {deepest}}}");
        let signal = format!("runs/{run}/signals/go");
        app.api
            .post_raw(&signal, "application/json", payload)
            .await
            .of(202);
        let output = format!("{{\"output\": {deepest}}}");
        let complete = format!("external/{token}/complete");
        app.api
            .post_raw(&complete, "application/json", output)
            .await
            .of(200);
        let run = app.api.finished(&run).await;
        assert_eq!(
            (&run["status"], run["output"].to_string()),
            (&json!("completed"), deepest)
        );
    })
    .await;
}
