//! How many runs with one key there are, and how many calls of an agent.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Agent, App, PATIENCE, Reply, until, with_app};
use crate::sql::psql::Psql;

const KEYED: &str = "input.customer";
/// For a hundred calls, three at a time, and a worker's rescue.
const LONG: Duration = Duration::from_secs(90);

#[tokio::test]
async fn runs_wait_for_their_turn_in_order_across_workers() {
    let app = App::separate(2, &[]).await;
    let agent = Agent::start().await;
    agent.on("/work", |_| Reply::held());
    app.api.agent("work", &agent.url("/work")).await;
    let steps = json!([{"name": "a", "type": "agent", "config": {"agent": "work"}}]);
    let limited = json!({"concurrency": {"key": KEYED, "limit": 1}});
    app.api.workflow_with("w", steps, limited).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(app.api.start("w", json!({"customer": "ann"})).await);
    }
    let other = app.api.start("w", json!({"customer": "bob"})).await;
    agent.called("/work", 2).await;
    for run in &runs[1..] {
        let waiting = app.api.reaches(run, "waiting").await;
        assert_eq!(waiting["blocked_on"]["kind"], "concurrency", "{waiting}");
        assert_eq!(waiting["blocked_on"]["detail"], "ann", "{waiting}");
    }
    // One that waits can be cancelled, and leaves no place behind.
    app.api
        .post(&format!("runs/{}/cancel", runs[1]), json!({}))
        .await
        .of(202);
    assert_eq!(app.api.finished(&runs[1]).await["status"], "cancelled");
    assert_eq!(agent.calls("/work").len(), 2);
    for count in 2..=4 {
        agent.release_first("/work", count);
        if count < 4 {
            agent.called("/work", count + 1).await;
        }
    }
    agent.release("/work");
    for run in [&runs[0], &runs[2], &runs[3], &other] {
        assert_eq!(app.api.finished(run).await["status"], "completed");
    }
    let begun = app.database.text(
        "select string_agg(id::text, ' ' order by started_at) from stepwell.run where input ->> 'customer' = 'ann'
         and started_at is not null",
    );
    let order = [&runs[0], &runs[2], &runs[3]].map(String::as_str).join(" ");
    assert_eq!(begun.await.unwrap(), order);
    until("no place is held", PATIENCE, async || {
        (app.database
            .number("select count(*) from stepwell.place")
            .await
            == 0)
            .then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_run_too_many_is_refused_and_a_batch_as_a_whole() {
    with_app(async |app| {
        let wait = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
        let limited = json!({"concurrency": {"key": KEYED, "limit": 2, "on_limit": "reject"}});
        app.api.workflow_with("w", wait, limited).await;
        let ann = json!({"input": {"customer": "ann"}});
        let order = json!({"workflow": "w", "input": {"customer": "ann"}});
        let three = json!({"runs": [order, order, order]});
        let answer = app.api.post("runs/batch", three).await.problem(409);
        assert!(answer.text("/detail").contains("\"ann\""), "{answer:?}");
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            0
        );
        let first = app.api.start_with("w", ann.clone()).await;
        app.api.start_with("w", ann.clone()).await;
        app.api
            .post("workflows/w/execute", ann.clone())
            .await
            .problem(409);
        app.api.start("w", json!({"customer": "bob"})).await;
        let answer = app
            .api
            .post("workflows/w/execute", json!({"input": {}}))
            .await
            .problem(422);
        answer.finds("/input", "no key `customer`");
        app.api
            .post(&format!("runs/{first}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&first).await;
        app.api.start_with("w", ann).await;
    })
    .await;
}

#[tokio::test]
async fn a_run_too_many_by_sql_fails_before_it_begins() {
    with_app(async |app| {
        let wait = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
        let limited = json!({"concurrency": {"limit": 1, "on_limit": "reject"}});
        app.api.workflow_with("w", wait, limited).await;
        let psql = Psql::new(&app.database);
        let execute = || psql.run("select stepwell.execute('w', '{}');");
        let first = execute();
        app.api.reaches(&first, "waiting").await;
        for _ in 0..2 {
            let refused = app.api.finished(&execute()).await;
            assert_eq!(refused["status"], "failed");
            assert_eq!(refused["error"]["type"], "concurrency_limit", "{refused}");
        }
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.place")
                .await,
            1
        );
        app.api
            .post(&format!("runs/{first}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&first).await;
        app.api.reaches(&execute(), "waiting").await;
    })
    .await;
}

#[tokio::test]
async fn a_newer_run_takes_the_place_of_an_older_one() {
    with_app(async |app| {
        let wait = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
        let limited = json!({"concurrency": {"limit": 1, "on_limit": "cancel_running"}});
        app.api.workflow_with("w", wait, limited).await;
        let first = app.api.start("w", json!({})).await;
        waits(app, &first).await;
        let second = app.api.start("w", json!({})).await;
        let over = app.api.finished(&first).await;
        assert_eq!(over["status"], "cancelled", "{over}");
        assert_eq!(over["cancelled_by"], format!("run:{second}"), "{over}");
        waits(app, &second).await;
        app.api
            .post(&format!("runs/{second}/signals/go"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.finished(&second).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn a_place_whose_worker_died_in_between_is_healed() {
    let app = App::separate(1, &[]).await;
    let wait = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
    let limited = json!({"concurrency": {"limit": 1}});
    app.api.workflow_with("w", wait, limited).await;
    let first = app.api.start("w", json!({})).await;
    waits(&app, &first).await;
    let second = app.api.start("w", json!({})).await;
    app.api.reaches(&second, "waiting").await;
    // As if the process had died after the place was given away, before the run was told.
    app.database
        .run("update stepwell.place set held = true")
        .await;
    waits(&app, &second).await;
    for run in [&first, &second] {
        app.api
            .post(&format!("runs/{run}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(run).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn an_agent_has_no_more_calls_at_once_than_it_takes() {
    let mut app = App::separate(2, &[]).await;
    let agent = Agent::start().await;
    agent.on("/work", |_| Reply::held());
    app.api
        .agent_with("work", &agent.url("/work"), json!({"max_concurrency": 3}))
        .await;
    let map = json!([{"name": "all", "type": "map", "config": {"items": "input.list", "max_parallel": 20,
        "step": {"type": "agent", "config": {"agent": "work", "input": "${item}"}}}}]);
    app.api.workflow("w", map).await;
    let list: Vec<_> = (0..25).collect();
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(app.api.start("w", json!({"list": list})).await);
    }
    agent.called("/work", 3).await;
    let mut is_dead = false;
    let mut most = 0;
    until("every run is over", LONG, async || {
        let calls = agent.calls("/work");
        let open = calls.iter().filter(|call| !call.answered && !call.aborted);
        most = most.max(open.count());
        agent.release_first("/work", calls.len());
        // A worker that dies gives its seats back with its rescue.
        if calls.len() > 20 && !std::mem::replace(&mut is_dead, true) {
            app.processes[1].kill().await;
        }
        for run in &runs {
            if app.api.run(run).await["status"] != "completed" {
                return None;
            }
        }
        Some(())
    })
    .await;
    assert_eq!(most, 3, "calls at once");
    let seats = "select count(*) from stepwell.seat";
    assert_eq!(app.database.number(seats).await, 3);
    app.finish().await;
}

#[tokio::test]
async fn a_call_that_waits_long_lets_go_of_its_worker_and_costs_no_attempt() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/work", |_| Reply::held());
        app.api
            .agent_with("work", &agent.url("/work"), json!({"max_concurrency": 1}))
            .await;
        let once = json!([{"name": "a", "type": "agent", "config": {"agent": "work"},
            "retry": {"max_attempts": 1}, "delivery": "at_most_once"}]);
        app.api.workflow("w", once).await;
        let first = app.api.start("w", json!({})).await;
        agent.called("/work", 1).await;
        let second = app.api.start("w", json!({})).await;
        let waiting = app.api.reaches(&second, "waiting").await;
        assert_eq!(waiting["blocked_on"]["kind"], "agent", "{waiting}");
        let step = app.api.step(&second, "a").await;
        assert_eq!(step["blocked_on"]["kind"], "agent", "{step}");
        assert_eq!(step["attempt"], 0, "{step}");
        assert!(step["next_attempt_at"].is_string(), "{step}");
        agent.release("/work");
        for run in [&first, &second] {
            let over = app.api.finished(run).await;
            assert_eq!(over["status"], "completed", "{over}");
            assert_eq!(app.api.step(run, "a").await["attempt"], 1);
        }
        app.api.audit_says(&second, "step.deferred", "a").await;
    })
    .await;
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_has_not_started() {
    with_app(async |app| {
        let agent = Agent::start().await;
        agent.on("/work", |_| Reply::held());
        app.api
            .agent_with("work", &agent.url("/work"), json!({"max_concurrency": 1}))
            .await;
        let steps = json!([{"name": "a", "type": "agent", "config": {"agent": "work"}}]);
        app.api.workflow("w", steps).await;
        let first = app.api.start("w", json!({})).await;
        agent.called("/work", 1).await;
        let second = app.api.start("w", json!({})).await;
        let mut asked = std::collections::BTreeSet::new();
        until("it has asked three times", PATIENCE, async || {
            let step = app.api.step(&second, "a").await;
            if let Some(at) = step["next_attempt_at"].as_str() {
                asked.insert(at.to_owned());
            }
            (asked.len() == 3).then_some(())
        })
        .await;
        let trail = app.api.actions(&second).await;
        let said: Vec<_> = trail.iter().filter(|said| said.ends_with(" a")).collect();
        assert_eq!(said, ["step.deferred a"], "{trail:?}");
        let message = app.api.step(&second, "a").await["error"]["message"].clone();
        assert_eq!(
            message,
            "agent `work` has as many calls in flight as it takes at once: 1"
        );
        agent.release_first("/work", 1);
        agent.called("/work", 2).await;
        app.api.audit_says(&second, "step.started", "a").await;
        agent.release("/work");
        app.api.finished(&second).await;
        app.api.finished(&first).await;
        let started = app.api.actions(&second).await;
        let started = started
            .iter()
            .filter(|said| *said == "step.started a")
            .count();
        assert_eq!(started, 1);
    })
    .await;
}

/// Waits until the run waits for its signal, hence has a place.
async fn waits(app: &App, run: &str) {
    until(
        &format!("the run {run} has a place"),
        PATIENCE,
        async || {
            let on = &app.api.run(run).await["blocked_on"];
            (on["kind"] == "signal").then_some(())
        },
    )
    .await;
}
