//! Every time in every answer is RFC 3339 in UTC with milliseconds.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Agent, Answer, PATIENCE, Reply, until, with_app};

/// Fails unless every time in the answer has the one form; gives how many there were.
#[track_caller]
fn checked(answer: &Answer) -> usize {
    let mut times = Vec::new();
    collect(&answer.body, &mut times);
    for time in &times {
        let plain: String = time
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert_eq!(
            plain, "9999-99-99T99:99:99.999Z",
            "{time} in {}",
            answer.raw
        );
    }
    times.len()
}

fn collect(value: &Value, times: &mut Vec<String>) {
    match value {
        Value::String(text) if chrono::DateTime::parse_from_rfc3339(text).is_ok() => {
            times.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, times)),
        Value::Object(fields) => fields.values().for_each(|field| collect(field, times)),
        _ => {}
    }
}

#[tokio::test]
async fn every_resource_tells_its_times_alike() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/a", |_| Reply::Json(503, Value::Null));
        let body = json!({"name": "a", "url": agent.url("/a"),
            "retry_config": {"max_attempts": 5, "initial_interval_ms": 60_000}});
        let created = app.api.post("agents", body.clone()).await.of(201);
        assert_eq!(checked(&created), 2);
        let replaced = json!({"name": "a", "url": agent.url("/a"), "description": "x", "retry_config": body["retry_config"]});
        assert_eq!(checked(&app.api.put("agents/a", replaced).await.of(200)), 2);
        assert_eq!(checked(&app.api.get("agents").await.of(200)), 2);

        let steps = json!([
            {"name": "wait", "type": "wait", "config": {"signal": "go", "timeout_ms": 3_600_000}, "needs": []},
            {"name": "call", "type": "agent", "config": {"agent": "a"}, "needs": []},
            {"name": "later", "type": "delay", "config": {"duration": 3_600}, "needs": []},
        ]);
        let body = json!({"id": "w", "name": "w", "steps": steps});
        assert_eq!(checked(&app.api.post("workflows", body.clone()).await.of(201)), 2);
        let mut other = body.clone();
        other["timeout_ms"] = json!(7_200_000);
        assert_eq!(checked(&app.api.put("workflows/w", other).await.of(200)), 2);
        for (path, times) in [
            ("workflows", 2),
            ("workflows/w", 2),
            ("workflows/w/versions", 2),
            ("workflows/w/versions/1", 1),
        ] {
            assert_eq!(checked(&app.api.get(path).await.of(200)), times, "{path}");
        }

        // A run that is to begin later, as it is told at first and from then on.
        let at = chrono::Utc::now() + Duration::from_secs(3_600);
        let body = json!({"run_at": at.to_rfc3339_opts(chrono::SecondsFormat::Nanos, true)});
        let first = app.api.post("workflows/w/execute", body).await.of(202);
        assert_eq!(checked(&first), 3, "{}", first.raw);
        let again = app.api.get(&format!("runs/{}", first.text("/id"))).await.of(200);
        assert_eq!(again.body, first.body, "the first answer equals the later ones");

        // A run that waits for everything that a run can wait for.
        let run = app.api.start("w", json!({})).await;
        let path = format!("runs/{run}");
        until("all three steps wait", PATIENCE, async || {
            let steps = app.api.steps(&run).await;
            let waiting = steps.iter().filter(|step| step["status"] == "waiting").count();
            (waiting == 3).then_some(())
        })
        .await;
        let shown = app.api.reaches(&run, "waiting").await;
        let fields: Vec<_> = shown["blocked_on"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["detail", "kind", "since", "until"], "{shown}");
        assert!(shown["blocked_on"]["until"].is_string(), "{shown}");
        assert!(checked(&app.api.get(&path).await.of(200)) >= 4);
        let steps = app.api.get(&format!("{path}/steps")).await.of(200);
        // Each began, and waits since a time until a time; the call also has its next attempt.
        assert_eq!(checked(&steps), 10, "{}", steps.raw);
        let trail = app.api.get(&format!("{path}/audit")).await.of(200);
        for field in ["until", "next_attempt_at"] {
            assert!(trail.raw.contains(&format!("\"{field}\":\"20")), "{}", trail.raw);
        }
        let records = trail.body["items"].as_array().unwrap().len();
        assert!(checked(&trail) >= records + 3, "{}", trail.raw);
        assert!(checked(&app.api.post(&format!("{path}/pause"), json!({})).await.of(202)) >= 2);
        let paused = app.api.reaches(&run, "paused").await;
        assert_eq!(paused["blocked_on"]["kind"], "paused", "{paused}");
        assert!(checked(&app.api.get("runs").await.of(200)) >= 6);
        assert!(checked(&app.api.post(&format!("{path}/cancel"), json!({})).await.of(202)) >= 2);
        app.api.finished(&run).await;
        assert!(checked(&app.api.get(&path).await.of(200)) >= 3);
        assert!(checked(&app.api.get(&format!("{path}/audit")).await.of(200)) > records);
    })
    .await;
}
