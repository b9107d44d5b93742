//! `v_blocked` says of every run that does not move why, since when and until when.

use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, Reply, app::QUICK_DEATHS, until};
use crate::sql::psql::Psql;

/// What the view says of a run: kind, whether it knows since and until when, detail.
fn told(psql: &Psql, id: &str) -> Vec<String> {
    let row = psql.run(&format!(
        "select kind, since <= now(), until > now(), detail from stepwell.v_blocked where run_id = '{id}'"
    ));
    row.split('|').map(str::to_owned).collect()
}

async fn start(app: &App, slug: &str, steps: Value) -> String {
    app.api.workflow(slug, steps).await;
    let id = app.api.start(slug, json!({})).await;
    app.api.reaches(&id, "waiting").await;
    id
}

#[tokio::test]
async fn waiting_runs_say_on_what() {
    let app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/busy", |_| Reply::Json(503, json!({})));
    let retry = json!({"retry_config": {"max_attempts": 3, "initial_interval_ms": 600_000, "max_interval_ms": 600_000, "jitter": 0}});
    app.api.agent_with("busy", &agent.url("/busy"), retry).await;
    let delay = start(
        &app,
        "delay",
        json!([{"name": "d", "type": "delay", "config": {"duration": 600}}]),
    )
    .await;
    let signal = start(
        &app,
        "signal",
        json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]),
    )
    .await;
    let patient = start(
        &app,
        "patient",
        json!([{"name": "s", "type": "wait", "config": {"signal": "go", "timeout_ms": 600_000}}]),
    )
    .await;
    let child = start(
        &app,
        "parent",
        json!([{"name": "c", "type": "workflow", "config": {"workflow": "signal"}}]),
    )
    .await;
    let backoff = start(
        &app,
        "retry",
        json!([{"name": "r", "type": "agent", "config": {"agent": "busy"}}]),
    )
    .await;
    let later = psql.run(
        "select stepwell.execute('delay', '{}', jsonb_build_object('run_at', now() + interval '1 hour'));",
    );
    let child_id = app.api.run(&child).await["blocked_on"]["detail"]
        .as_str()
        .unwrap()
        .to_owned();
    for (id, row) in [
        (&delay, ["delay", "t", "t", "d"]),
        (&signal, ["signal", "t", "", "go"]),
        (&patient, ["signal", "t", "t", "go"]),
        (&child, ["child", "t", "", &child_id]),
        (&backoff, ["retry", "t", "t", "r"]),
        (&later, ["run_at", "t", "t", ""]),
    ] {
        assert_eq!(told(&psql, id), row);
        let by_rest = app.api.run(id).await;
        let same = psql.run(&format!(
            "select r.status, b.kind = r.blocked_on ->> 'kind', b.until is not distinct from (r.blocked_on ->> 'until')::timestamptz
             from stepwell.v_runs r join stepwell.v_blocked b on b.run_id = r.id where r.id = '{id}'"
        ));
        assert_eq!(same, "waiting|t|t", "{by_rest}");
        assert_eq!(by_rest["blocked_on"]["kind"], row[0]);
        assert_eq!(by_rest["blocked_on"]["until"].is_null(), row[2].is_empty());
    }
    let steps = psql.run(
        "select r.workflow_name, s.name, s.status, s.blocked_on ->> 'kind', s.blocked_on ->> 'detail', s.next_attempt_at is not null
         from stepwell.v_steps s join stepwell.v_runs r on r.id = s.run_id where r.id <> (select child_run_id from stepwell.v_steps where name = 'c') order by 1",
    );
    let expected = format!(
        "delay|d|waiting|delay||f\nparent|c|waiting|child|{child_id}|f\npatient|s|waiting|signal|go|f\n\
         retry|r|waiting|retry||t\nsignal|s|waiting|signal|go|f"
    );
    assert_eq!(steps, expected);
    psql.run(&format!("select stepwell.pause_run('{signal}');"));
    app.api.reaches(&signal, "paused").await;
    assert_eq!(told(&psql, &signal), ["paused", "t", "", ""]);
    // A run that moves is not in it.
    agent.on("/slow", |_| Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    app.api
        .workflow(
            "moves",
            json!([{"name": "m", "type": "agent", "config": {"agent": "slow"}}]),
        )
        .await;
    let moves = app.api.start("moves", json!({})).await;
    agent.called("/slow", 1).await;
    assert_eq!(told(&psql, &moves), [""]);
    let row = psql.run(&format!(
        "select status, worker_id is not null, steps_done from stepwell.v_runs where id = '{moves}'"
    ));
    assert_eq!(row, "running|t|0");
    agent.release("/slow");
    app.api.finished(&moves).await;
    assert_eq!(
        psql.run(&format!(
            "select status, worker_id is null, steps_done from stepwell.v_runs where id = '{moves}'"
        )),
        "completed|t|1"
    );
    app.finish().await;
}

#[tokio::test]
async fn due_runs_say_what_their_queue_lacks() {
    let mut app = App::separate(0, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "a", "type": "agent", "config": {"agent": "a"}}]),
        )
        .await;
    let first = app.api.start("w", json!({})).await;
    assert_eq!(told(&psql, &first), ["no_worker", "t", "", "default"]);
    assert_eq!(
        psql.run(
            "select name, ready, depth, leased, oldest_due <= now(), workers from stepwell.v_queues"
        ),
        "default|1|1|0|t|0"
    );
    app.spawn(
        "worker",
        &["worker", "--name", "only", "--concurrency", "1"],
    );
    agent.called("/a", 1).await;
    let second = app.api.start("w", json!({})).await;
    assert_eq!(told(&psql, &second), ["slot", "t", "", "default"]);
    let queues = psql.run(
        "select name, ready, overdue, depth, timed, parked, leased, workers from stepwell.v_queues",
    );
    assert_eq!(queues, "default|1|0|1|0|0|1|1");
    let workers = psql.run("select name, status, slots, running, queues, dead_at > seen_at, ended_at from stepwell.v_workers");
    assert_eq!(workers, "only|alive|1|1|{default}|t|");
    agent.release("/a");
    agent.called("/a", 2).await;
    agent.release("/a");
    app.api.finished(&second).await;
    app.finish().await;
}

#[tokio::test]
async fn a_retried_run_is_due_since_its_retry() {
    let app = App::separate(0, &[]).await;
    let psql = Psql::new(&app.database);
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    let id = app.api.start("w", json!({})).await;
    psql.run(&format!(
        "select stepwell.cancel_run('{id}'); select stepwell.retry_run('{id}');"
    ));
    let since = psql.run(&format!(
        "select b.kind, b.since = a.at from stepwell.v_blocked b
         join stepwell.v_audit a on a.entity_id = b.run_id and a.action = 'run.retry_requested' where b.run_id = '{id}'"
    ));
    assert_eq!(since, "no_worker|t");
    app.finish().await;
}

#[tokio::test]
async fn a_run_of_a_silent_worker_says_so() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.fails("/a", 1, Reply::Never);
    app.api.agent("a", &agent.url("/a")).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "a", "type": "agent", "config": {"agent": "a"}}]),
        )
        .await;
    let id = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    app.processes[1].kill().await;
    until("the view names the worker", PATIENCE, async || {
        (told(&psql, &id) == ["worker_lost", "t", "f", "worker1"]).then_some(())
    })
    .await;
    app.worker();
    assert_eq!(app.api.finished(&id).await["status"], "completed");
    app.finish().await;
}
