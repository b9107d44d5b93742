//! The example of the documentation, as it stands.

use serde_json::{Value, json};

use crate::harness::{Agent, with_app};

const EXAMPLE: &str = r#"
{"id": "my-workflow", "name": "Demo Workflow", "description": "A sample workflow",
 "steps": [{"name": "delay", "type": "delay", "config": {"duration": 2}},
           {"name": "notify", "type": "webhook", "config": {"url": "http://127.0.0.1:9000/post", "method": "POST",
            "headers": {"Content-Type": "application/json"}, "body": {"message": "Hello ${input.user}"}}}]}
"#;

#[tokio::test]
async fn it_works() {
    with_app(async |app| {
        let agent = Agent::start_at(9000).await;
        let made = app
            .api
            .post_raw("workflows", "application/json", EXAMPLE)
            .await
            .of(201);
        assert_eq!(made.body["name"], "Demo Workflow");
        let run = app.api.start("my-workflow", json!({"user": "Ada"})).await;
        let waiting = app.api.reaches(&run, "waiting").await;
        assert_eq!(waiting["blocked_on"]["kind"], "delay", "{waiting}");
        assert!(waiting["blocked_on"]["until"].is_string(), "{waiting}");
        let run = app.api.finished(&run).await;
        assert_eq!(run["status"], "completed", "{run}");
        let calls = agent.calls("/post");
        assert_eq!(calls.len(), 1);
        assert_eq!(calls[0].method, "POST");
        assert_eq!(calls[0].body, json!({"message": "Hello Ada"}));
        assert_eq!(calls[0].header("content-type"), "application/json");
        let steps = app.api.steps(run["id"].as_str().unwrap()).await;
        assert!(
            steps[0]["output"]["waited_ms"].as_f64().unwrap() >= 2_000.0,
            "{}",
            steps[0]
        );
        assert_eq!(steps[1]["output"]["status"], 200);
        assert_eq!(steps[1]["output"]["body"], json!({"ok": true}));
        assert!(
            matches!(steps[1]["output"]["headers"], Value::Object(_)),
            "{}",
            steps[1]
        );
        let took = chrono::DateTime::parse_from_rfc3339(run["finished_at"].as_str().unwrap())
            .unwrap()
            - chrono::DateTime::parse_from_rfc3339(run["created_at"].as_str().unwrap()).unwrap();
        assert!(took.num_milliseconds() >= 2_000, "{run}");
    })
    .await;
}
