//! Agents that answer 202 and call back.

use serde_json::{Value, json};

use super::{callback, waits_for};
use crate::harness::{Agent, App, PATIENCE, Reply, until, with_app};

async fn workflow(app: &App, agent: &Agent, more: Value) {
    agent.on("/slow", |call| match call.number % 2 {
        1 => Reply::Json(202, json!({"callback": true})),
        _ => Reply::Raw(202, vec![("location", "/jobs/7".into())], "queued".into()),
    });
    app.api
        .agent_with("slow", &agent.url("/slow"), json!({"cancel": true}))
        .await;
    let mut step = json!({"name": "score", "type": "agent", "config": {"agent": "slow"}});
    step.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    app.api.workflow("w", json!([step])).await;
}

#[tokio::test]
async fn an_agent_finishes_later_and_once() {
    with_app(async |app| {
        let agent = Agent::start().await;
        workflow(app, &agent, json!({})).await;
        let run = app.api.start("w", json!({})).await;
        let path = callback(&agent, "/slow", 1).await;
        let step = waits_for(app, &run, "score", "callback").await;
        assert!(step["blocked_on"]["until"].is_string(), "{step}");
        let parked = "select count(*) from stepwell.job where state in ('timed', 'parked')";
        until("the driver has let go", PATIENCE, async || {
            (app.database.number(parked).await == 1).then_some(())
        })
        .await;
        assert_eq!(app.api.run(&run).await["blocked_on"]["kind"], "callback");
        let result = json!({"status": "completed", "output": {"score": 0.9},
                            "logs": [{"message": "scored"}, {"level": "warn", "message": "twice"}]});
        let first = app.api.post(&path, result.clone()).await.of(200);
        assert_eq!(first.body["status"], "accepted");
        let done = app.api.finished(&run).await;
        assert_eq!(
            (&done["status"], &done["output"]),
            (&json!("completed"), &json!({"score": 0.9})),
            "{done}"
        );
        assert_eq!(app.api.post(&path, result).await.of(200).body, first.body);
        let other = json!({"status": "completed", "output": {"score": 0.1}});
        app.api.post(&path, other).await.problem(409);
        let logs = app.api.get(&format!("/api/v1/runs/{run}/logs")).await.of(200);
        let said: Vec<_> = logs.body["items"].as_array().unwrap().iter()
            .map(|line| (line["step"].clone(), line["level"].clone(), line["message"].clone()))
            .collect();
        assert_eq!(said, [
            (json!("score"), json!("info"), json!("scored")),
            (json!("score"), json!("warn"), json!("twice")),
        ]);
        let late = json!({"lines": [{"message": "more"}]});
        let late = app.api.post(&format!("{path}/logs"), late).await.problem(409);
        // Whoever has the token may report: it stands in no log, and in no problem that is passed on.
        let token = path.rsplit('/').next().unwrap();
        app.api.post(&format!("{path}/typo"), json!({})).await.problem(404);
        assert_eq!(late.body["instance"], "/api/v1/callbacks/{token}/logs");
        let log = app.processes[0].log();
        assert!(log.contains("/api/v1/callbacks/{token}"), "{log}");
        assert!(!log.contains(token), "the token is in the log");
    })
    .await;
}

#[tokio::test]
async fn a_reported_failure_is_retried_and_the_old_token_is_over() {
    with_app(async |app| {
        let agent = Agent::start().await;
        workflow(
            app,
            &agent,
            json!({"retry": {"max_attempts": 2, "initial_interval_ms": 10}}),
        )
        .await;
        let run = app.api.start("w", json!({})).await;
        let first = callback(&agent, "/slow", 1).await;
        waits_for(app, &run, "score", "callback").await;
        let failed =
            json!({"status": "failed", "error": {"message": "out of memory", "type": "oom"}});
        app.api.post(&first, failed).await.of(200);
        let second = callback(&agent, "/slow", 2).await;
        assert_ne!(first, second);
        waits_for(app, &run, "score", "callback").await;
        app.api
            .post(&first, json!({"status": "completed"}))
            .await
            .problem(409);
        app.api
            .post(&second, json!({"status": "failed", "error": "again"}))
            .await
            .of(200);
        let done = app.api.finished(&run).await;
        assert_eq!(
            (
                &done["status"],
                &done["error"]["message"],
                &done["error"]["type"]
            ),
            (&json!("failed"), &json!("again"), &json!("agent_error")),
            "{done}"
        );
        let retrying = app.api.audit_says(&run, "step.retrying", "score").await;
        assert_eq!(retrying["detail"]["error"]["type"], "oom");
    })
    .await;
}

#[tokio::test]
async fn tokens_are_not_forged_and_have_their_time() {
    with_app(async |app| {
        let agent = Agent::start().await;
        workflow(
            app,
            &agent,
            json!({"timeout_ms": 1500, "retry": {"max_attempts": 1}}),
        )
        .await;
        let run = app.api.start("w", json!({})).await;
        let path = callback(&agent, "/slow", 1).await;
        let body = || json!({"status": "completed"});
        let middle = path.len() - 30;
        let letter = if &path[middle..=middle] == "A" {
            "B"
        } else {
            "A"
        };
        let forged = format!("{}{letter}{}", &path[..middle], &path[middle + 1..]);
        app.api.post(&forged, body()).await.problem(404);
        app.api
            .post("/api/v1/callbacks/x", body())
            .await
            .problem(404);
        let token = path.rsplit('/').next().unwrap();
        let external = format!("/api/v1/external/{token}/complete");
        app.api.post(&external, json!({})).await.problem(404);
        for (error, place, why) in [
            (
                json!({"code": 5, "message": "no"}),
                "/error/code",
                "unknown field",
            ),
            (json!({"message": 5}), "/error/message", "string"),
            (json!(5), "/error", "a text, or an object with a `message`"),
        ] {
            let body = json!({"status": "failed", "error": error});
            app.api
                .post(&path, body)
                .await
                .problem(400)
                .finds(place, why);
        }
        app.api
            .post(&path, json!({"status": "done"}))
            .await
            .problem(422)
            .finds("/status", "completed");
        let done = app.api.finished(&run).await;
        assert_eq!(
            (&done["status"], &done["error"]["type"]),
            (&json!("failed"), &json!("timeout")),
            "{done}"
        );
        let refused = until("the token's time is over", PATIENCE, async || {
            let answer = app.api.post(&path, body()).await;
            (answer.status != 409).then_some(answer)
        })
        .await;
        refused.problem(410);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_waits_no_more_and_its_agent_hears_of_it() {
    with_app(async |app| {
        let agent = Agent::start().await;
        workflow(app, &agent, json!({})).await;
        let run = app.api.start("w", json!({})).await;
        let path = callback(&agent, "/slow", 1).await;
        waits_for(app, &run, "score", "callback").await;
        app.api
            .post(&format!("/api/v1/runs/{run}/cancel"), json!({}))
            .await
            .of(202);
        let told = agent.called(&format!("/slow/runs/{run}"), 1).await;
        assert_eq!(told.method, "DELETE");
        assert_eq!(app.api.finished(&run).await["status"], "cancelled");
        app.api
            .post(&path, json!({"status": "completed"}))
            .await
            .problem(409);
    })
    .await;
}

#[tokio::test]
async fn a_callback_that_overtakes_the_answer_counts() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/slow", |_| {
            Reply::Held(Box::new(Reply::Json(202, json!({"callback": true}))))
        });
        app.api.agent("slow", &agent.url("/slow")).await;
        let steps = json!([{"name": "score", "type": "agent", "config": {"agent": "slow"}}]);
        app.api.workflow("w", steps).await;
        let run = app.api.start("w", json!({})).await;
        let path = callback(&agent, "/slow", 1).await;
        let early =
            json!({"status": "completed", "output": "early", "logs": [{"message": "so soon"}]});
        app.api.post(&path, early).await.of(200);
        let done = app.api.finished(&run).await;
        assert_eq!(done["output"], "early", "{done}");
        let said = app
            .api
            .get(&format!("runs/{run}/logs?step=score"))
            .await
            .of(200);
        assert_eq!(said.text("/items/0/message"), "so soon");
    })
    .await;
}

#[tokio::test]
async fn what_is_said_before_the_step_is_written_is_said_by_that_step() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/score", |_| Reply::held());
        app.api.agent("score", &agent.url("/score")).await;
        let step = json!({"type": "agent", "config": {"agent": "score"}});
        let map =
            json!({"name": "each", "type": "map", "config": {"items": "${[7]}", "step": step}});
        app.api.workflow("w", json!([map])).await;
        let run = app.api.start("w", json!({})).await;
        let path = callback(&agent, "/score", 1).await;
        let lines = json!({"lines": [{"message": "at once"}]});
        app.api.post(&format!("{path}/logs"), lines).await.of(200);
        let said = app.api.get(&format!("runs/{run}/logs")).await.of(200);
        assert_eq!(said.text("/items/0/step"), "each[0]");
        agent.release("/score");
        assert_eq!(app.api.finished(&run).await["status"], "completed");
    })
    .await;
}
