//! A run whose end is being committed takes no slot, and is waited for all the same.

use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::{Postgres, Transaction};

use crate::harness::{Agent, App, PATIENCE, Reply, until};

/// A worker with one slot, and a run whose end waits for a lock.
struct Scene {
    app: App,
    agent: Agent,
    worker: usize,
    run: String,
    lock: Transaction<'static, Postgres>,
}

impl Scene {
    async fn set() -> Self {
        let mut app = App::separate(0, &[("STEPWELL_WORKER_CONCURRENCY", "1")]).await;
        let worker = app.worker();
        let agent = Agent::start().await;
        agent.on("/first", |_| Reply::held());
        agent.on("/second", |_| Reply::ok());
        for name in ["first", "second"] {
            app.api.agent(name, &agent.url(&format!("/{name}"))).await;
            let steps = json!([{"name": "s", "type": "agent", "config": {"agent": name}}]);
            app.api.workflow(name, steps).await;
        }
        let run = app.api.start("first", json!({})).await;
        agent.called("/first", 1).await;
        let mut lock = app.database.pool.begin().await.unwrap();
        let row = format!("select from stepwell.run where id = '{run}' for update");
        sqlx::query(sqlx::AssertSqlSafe(row))
            .execute(&mut *lock)
            .await
            .unwrap();
        agent.release("/first");
        let waiting = "select count(*) from pg_stat_activity
                       where datname = current_database() and wait_event_type = 'Lock'";
        until("the end waits for the lock", PATIENCE, async || {
            (app.database.number(waiting).await > 0).then_some(())
        })
        .await;
        Self {
            app,
            agent,
            worker,
            run,
            lock,
        }
    }
}

#[tokio::test]
async fn a_run_whose_end_is_held_up_leaves_its_slot_to_another() {
    let Scene {
        app,
        agent,
        run,
        lock,
        ..
    } = Scene::set().await;
    let second = app.api.start("second", json!({})).await;
    agent.called("/second", 1).await;
    let over =
        format!("select count(*) from stepwell.run where id = '{run}' and status <> 'pending'");
    assert_eq!(app.database.number(&over).await, 0, "its end is held up");
    lock.rollback().await.unwrap();
    for run in [&run, &second] {
        assert_eq!(app.api.finished(run).await["status"], "completed");
    }
    app.finish().await;
}

#[tokio::test]
async fn a_worker_that_stops_waits_for_the_ends_that_are_on_their_way() {
    let mut scene = Scene::set().await;
    let worker = &scene.app.processes[scene.worker];
    worker.signal(Signal::SIGTERM);
    worker.said("the worker stops").await;
    let waiting =
        "select count(*) from stepwell.worker where status = 'draining' and ended_at is null";
    let database = &scene.app.database;
    until("it drains", PATIENCE, async || {
        (database.number(waiting).await == 1).then_some(())
    })
    .await;
    scene.lock.rollback().await.unwrap();
    let status = scene.app.processes[scene.worker].exit().await;
    assert_eq!(status.code(), Some(0));
    let run = scene.app.api.finished(&scene.run).await;
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(scene.agent.calls("/first").len(), 1);
    scene.app.finish().await;
}
