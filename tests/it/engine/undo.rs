//! What a run did is undone when it does not complete.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply, with_app};

fn step(name: &str) -> Value {
    json!({"name": name, "type": "agent", "config": {"agent": name}})
}

/// A step with a compensation that calls the agent `undo-<name>`.
fn undoable(name: &str) -> Value {
    let mut step = step(name);
    step["compensate"] = json!({"type": "agent", "config": {"agent": format!("undo-{name}"),
        "input": {"was": "${step.output.id}", "why": "${error.message}", "by": "${error.step}"}}});
    step
}

async fn agents(app: &App, agent: &Agent, names: &[&str]) {
    for name in names {
        let path = format!("/{name}");
        let id = format!("{name}-1");
        agent.on(&path, move |_| Reply::Json(200, json!({"id": id})));
        app.api.agent(name, &agent.url(&path)).await;
    }
}

#[tokio::test]
async fn a_failed_run_is_undone_backwards_and_then_tells() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agents(
            app,
            &agent,
            &["pay", "ship", "bill", "undo-pay", "undo-ship", "tell"],
        )
        .await;
        agent.on("/bill", |_| Reply::Json(400, json!({"no": true})));
        // The first compensation fails for good, and stops nobody.
        agent.on("/undo-ship", |_| Reply::Json(404, json!({})));
        let on_failure = json!([{"name": "tell", "type": "agent",
            "config": {"agent": "tell", "input": "${steps.pay.status}: ${error.type}"}}]);
        let steps = json!([undoable("pay"), undoable("ship"), step("bill")]);
        app.api
            .workflow_with("w", steps, json!({"on_failure": on_failure}))
            .await;
        let run = app.api.execute("w", json!({})).await;
        let id = run["id"].as_str().unwrap().to_owned();
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(run["error"]["step"], "bill", "{run}");
        assert_eq!(
            (&run["steps_total"], &run["steps_done"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(
            app.api.statuses(&id).await,
            [
                "pay=completed",
                "ship=completed",
                "bill=failed",
                "undo:*=completed",
                "undo:pay=completed",
                "undo:ship=failed",
                "tell=completed",
            ]
        );
        let called: Vec<_> = agent.all().into_iter().map(|call| call.path).collect();
        assert_eq!(
            called,
            ["/pay", "/ship", "/bill", "/undo-ship", "/undo-pay", "/tell"]
        );
        let undo = agent.calls("/undo-pay").remove(0);
        assert_eq!(undo.header("idempotency-key"), format!("{id}/undo:pay/1"));
        let given = &app.api.step(&id, "undo:pay").await["input"];
        assert_eq!(given["was"], "pay-1", "{given}");
        assert_eq!(given["by"], "bill", "{given}");
        assert_eq!(
            app.api.step(&id, "tell").await["input"],
            "completed: agent_error"
        );
        app.api.audit_says(&id, "step.failed", "undo:ship").await;
        let actions = app.api.actions(&id).await;
        assert!(actions.contains(&"run.undoing".to_owned()), "{actions:?}");

        // What was undone runs again.
        agent.on("/bill", |_| Reply::ok());
        app.api
            .post(&format!("runs/{id}/retry"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&id).await["status"], "completed");
        assert_eq!(
            (agent.calls("/pay").len(), agent.calls("/ship").len()),
            (2, 2)
        );
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_run_is_undone_and_a_worker_that_dies_does_not_stop_it() {
    let mut app = App::separate(1, &[]).await;
    let agent = Agent::start().await;
    agents(&app, &agent, &["pay", "slow", "undo-pay"]).await;
    agent.on("/slow", |_| Reply::Never);
    agent.on("/undo-pay", |call| match call.number {
        1 => Reply::Never,
        _ => Reply::ok(),
    });
    app.api
        .workflow("w", json!([undoable("pay"), step("slow")]))
        .await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/slow", 1).await;
    let reason = json!({"reason": "withdrawn"});
    app.api
        .post(&format!("runs/{run}/cancel"), reason)
        .await
        .of(202);
    agent.called("/undo-pay", 1).await;
    // A second cancel changes nothing.
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    app.api.audit_says(&run, "run.cancel_ignored", "").await;
    app.processes[1].kill().await;
    app.worker();
    let over = app.api.finished(&run).await;
    assert_eq!(over["status"], "cancelled", "{over}");
    assert_eq!(over["cancel_reason"], "withdrawn", "{over}");
    assert_eq!(over["cancelled_by"], "anonymous", "{over}");
    assert_eq!(
        app.api.statuses(&run).await,
        [
            "pay=completed",
            "slow=cancelled",
            "undo:*=completed",
            "undo:pay=completed"
        ]
    );
    let keys: Vec<_> = agent.calls("/undo-pay");
    assert_eq!(keys.len(), 2);
    assert_eq!(
        keys[0].header("idempotency-key"),
        keys[1].header("idempotency-key")
    );
    app.finish().await;
}

#[tokio::test]
async fn an_event_is_in_the_trail_and_its_id_is_the_output() {
    with_app(async |app| {
        let emit = json!({"name": "tell", "type": "emit",
            "config": {"type": "order.paid", "data": {"sum": "${input.sum}"}}});
        app.api.workflow("w", json!([emit])).await;
        let run = app.api.execute("w", json!({"sum": 7})).await;
        let id = run["id"].as_str().unwrap();
        let record = app.api.audit_says(id, "event.emitted", "tell").await;
        assert_eq!(record["detail"]["type"], "order.paid", "{record}");
        assert_eq!(record["detail"]["data"], json!({"sum": 7}), "{record}");
        assert_eq!(record["detail"]["event_id"], run["output"], "{record}");
        let bad = json!({"id": "x", "name": "x", "steps": [{"name": "a", "type": "emit",
            "config": {"type": "stepwell.run.completed"}}]});
        let answer = app.api.post("workflows", bad).await.problem(422);
        answer.finds("/steps/0/config/type", "engine's own");
    })
    .await;
}

#[tokio::test]
async fn a_person_decides() {
    with_app(async |app| {
        let ask = json!({"name": "ask", "type": "wait", "config": {"approval":
            {"prompt": "Pay ${input.sum}?", "choices": ["yes", "no"]}}});
        app.api.workflow("w", json!([ask])).await;
        let run = app.api.start("w", json!({"sum": 7})).await;
        let waiting = app.api.reaches(&run, "waiting").await;
        assert_eq!(waiting["blocked_on"]["kind"], "approval", "{waiting}");
        let asked = app.api.step(&run, "ask").await;
        assert_eq!(asked["input"]["prompt"], "Pay 7?", "{asked}");
        assert_eq!(asked["blocked_on"]["kind"], "approval", "{asked}");
        let path = format!("runs/{run}/signals/ask");
        let wrong = json!({"payload": {"choice": "maybe", "x": 1}});
        let answer = app.api.post(&path, wrong).await.problem(422);
        answer.finds("/payload/choice", "`yes`, `no`");
        answer.finds("/payload/x", "unknown");
        app.api.post(&path, json!({"payload": {"choice": "yes"}})).await.of(202);
        let over = app.api.finished(&run).await;
        assert_eq!(over["output"]["choice"], "yes", "{over}");
        assert_eq!(over["output"]["decided_by"], "anonymous", "{over}");

        let only = json!({"name": "ask", "type": "wait", "config": {"approval": {"approvers": ["ann"]},
            "timeout_ms": 200, "on_timeout": "continue"}});
        app.api.workflow("only", json!([only])).await;
        let run = app.api.start("only", json!({})).await;
        let path = format!("runs/{run}/signals/ask");
        let yes = json!({"payload": {"choice": "approve"}});
        app.api.post(&path, yes).await.problem(403);
        let over = app.api.finished(&run).await;
        assert_eq!((&over["status"], &over["output"]), (&json!("completed"), &json!(null)));
    })
    .await;
}
