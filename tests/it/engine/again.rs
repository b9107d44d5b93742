//! The retry of a run that ended badly.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

/// `one`, `two` (which fails for good until it is mended) and `three`.
async fn failed(app: &App) -> (Agent, String) {
    let agent = Agent::start().await;
    agent.on("/two", |_| Reply::Json(400, json!({"mend": "me"})));
    let mut steps = Vec::new();
    for name in ["one", "two", "three"] {
        app.api.agent(name, &agent.url(&format!("/{name}"))).await;
        steps.push(json!({"name": name, "type": "agent", "config": {"agent": name}}));
    }
    app.api.workflow("w", json!(steps)).await;
    let run = app.api.execute("w", json!({})).await;
    assert_eq!(run["status"], "failed");
    agent.on("/two", |_| Reply::ok());
    (agent, run["id"].as_str().unwrap().to_owned())
}

fn counts(agent: &Agent) -> [usize; 3] {
    ["/one", "/two", "/three"].map(|path| agent.calls(path).len())
}

async fn retried(app: &App, run: &str, body: Value) -> Value {
    app.api
        .post(&format!("runs/{run}/retry"), body)
        .await
        .of(202);
    crate::harness::until(
        "the next generation ends",
        crate::harness::PATIENCE,
        async || {
            let run = app.api.run(run).await;
            (run["generation"] == 2 && run["finished_at"].is_string()).then_some(run)
        },
    )
    .await
}

#[tokio::test]
async fn it_goes_on_from_the_failed_step_and_repeats_no_completed_one() {
    with_app(async |app| {
        let (agent, run) = failed(app).await;
        assert_eq!(counts(&agent), [1, 1, 0]);
        let done = retried(app, &run, json!({})).await;
        assert_eq!(
            (&done["status"], &done["error"]),
            (&json!("completed"), &Value::Null),
            "{done}"
        );
        assert_eq!(counts(&agent), [1, 2, 1]);
        let keys: Vec<_> = agent
            .calls("/two")
            .iter()
            .map(|c| c.header("idempotency-key").to_owned())
            .collect();
        assert_eq!(keys, [format!("{run}/two/1"), format!("{run}/two/2")]);
        assert_eq!(
            app.api.statuses(&run).await,
            ["one=completed", "two=completed", "three=completed"]
        );
    })
    .await;
}

#[tokio::test]
async fn what_failed_stays_readable() {
    with_app(async |app| {
        let (_agent, run) = failed(app).await;
        let before = app.api.audit(&run).await;
        retried(app, &run, json!({})).await;
        let after = app.api.audit(&run).await;
        assert_eq!(after[..before.len()], before[..], "what was recorded stays");
        let failed = after.iter().filter(|r| r["action"] == "run.failed").count();
        let completed = after
            .iter()
            .filter(|r| r["action"] == "run.completed")
            .count();
        assert_eq!((failed, completed), (1, 1));
        let row = app
            .database
            .text(&format!(
                "select error ->> 'type' from stepwell.step
              where run_id = '{run}' and name = 'two' and generation = 1"
            ))
            .await;
        assert!(
            row.is_some_and(|kind| !kind.is_empty()),
            "the failed step's row is kept"
        );
    })
    .await;
}

#[tokio::test]
async fn from_step_and_reset_run_more_again() {
    with_app(async |app| {
        let (agent, run) = failed(app).await;
        let done = retried(app, &run, json!({"from_step": "one"})).await;
        assert_eq!(done["status"], "completed");
        assert_eq!(counts(&agent), [2, 2, 1]);
        let (agent, run) = {
            app.api.delete("workflows/w").await.of(204);
            for agent in app.api.get("agents").await.body["items"]
                .as_array()
                .unwrap()
            {
                app.api
                    .delete(&format!("agents/{}", agent["id"].as_str().unwrap()))
                    .await
                    .of(204);
            }
            failed(app).await
        };
        let done = retried(app, &run, json!({"reset": true})).await;
        assert_eq!(done["status"], "completed");
        assert_eq!(counts(&agent), [2, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_and_a_timed_out_run_can_be_retried() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/s", |_| Reply::held());
        app.api.agent("s", &agent.url("/s")).await;
        let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "s"}}]);
        app.api
            .workflow_with("w", steps, json!({"timeout_ms": 3_000}))
            .await;
        let cancelled = app.api.start("w", json!({})).await;
        agent.called("/s", 1).await;
        app.api
            .post(&format!("runs/{cancelled}/cancel"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&cancelled).await["status"], "cancelled");
        let timed_out = app.api.execute("w", json!({})).await;
        assert_eq!(timed_out["status"], "timed_out");
        agent.release("/s");
        for run in [&cancelled, timed_out["id"].as_str().unwrap()] {
            let done = retried(app, run, json!({})).await;
            assert_eq!(done["status"], "completed", "{done}");
            assert_eq!(done["cancel_reason"], Value::Null, "{done}");
        }
    })
    .await;
}

#[tokio::test]
async fn two_retries_at_once_open_one_generation() {
    with_app(async |app| {
        let (agent, run) = failed(app).await;
        agent.on("/two", |_| Reply::held());
        let path = format!("runs/{run}/retry");
        let posts = (0..6).map(|_| app.api.post(&path, json!({})));
        let answers = futures::future::join_all(posts).await;
        let accepted = answers.iter().filter(|answer| answer.status == 202).count();
        assert_eq!(
            accepted,
            1,
            "{:?}",
            answers.iter().map(|a| a.status).collect::<Vec<_>>()
        );
        agent.release("/two");
        let done = app.api.finished(&run).await;
        assert_eq!(
            (&done["generation"], &done["status"]),
            (&json!(2), &json!("completed"))
        );
        assert_eq!(counts(&agent), [1, 2, 1]);
    })
    .await;
}

#[tokio::test]
async fn the_attempts_of_a_step_begin_anew() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.fails("/s", 5, Reply::Json(500, json!({})));
        app.api.agent("s", &agent.url("/s")).await;
        app.api
            .workflow(
                "w",
                json!([{"name": "s", "type": "agent", "config": {"agent": "s"}}]),
            )
            .await;
        let run = app.api.execute("w", json!({})).await;
        assert_eq!(run["status"], "failed");
        agent.fails("/s", 8, Reply::Json(500, json!({})));
        let done = retried(app, run["id"].as_str().unwrap(), json!({})).await;
        assert_eq!(done["status"], "completed");
        assert_eq!(
            app.api.step(run["id"].as_str().unwrap(), "s").await["attempt"],
            4
        );
    })
    .await;
}

#[tokio::test]
async fn it_is_pending_until_a_worker_has_begun_it() {
    let mut app = App::separate(1, &[]).await;
    let (_agent, run) = failed(&app).await;
    app.processes[1].stop().await;
    let path = format!("runs/{run}/retry");
    app.api.post(&path, json!({})).await.of(202);
    let waiting = app.api.run(&run).await;
    assert_eq!(waiting["status"], "pending", "{waiting}");
    let pending = app.api.get("runs?status=pending").await.of(200);
    assert_eq!(pending.text("/items/0/id"), run);
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    app.finish().await;
}
