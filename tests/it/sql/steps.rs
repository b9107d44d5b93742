//! `v_steps` says of each step what REST says, whatever it waits for.

use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, Reply, until};
use crate::sql::psql::Psql;

/// Of each step that has a row, what REST says: name, status, what it waits for, worker.
async fn by_rest(app: &App, run: &str) -> Vec<Value> {
    let steps = app.api.steps(run).await;
    let begun = steps.iter().filter(|step| step["status"] != "pending");
    begun
        .map(|step| {
            let on = &step["blocked_on"];
            json!([
                step["name"],
                step["type"],
                step["status"],
                on["kind"],
                on["detail"],
                on["since"],
                on["until"],
                step["next_attempt_at"],
                step["worker"],
                step["attempt"]
            ])
        })
        .collect()
}

/// The same of the view.
fn by_sql(psql: &Psql, run: &str) -> Vec<Value> {
    let time = |column: &str| {
        format!("to_char({column} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",)
    };
    let rows = psql.run(&format!(
        "select coalesce(json_agg(json_build_array(name, type, status, blocked_on ->> 'kind', blocked_on ->> 'detail',
                {}, {}, {}, worker_id, attempt) order by place, item nulls first), '[]')
         from stepwell.v_steps where run_id = '{run}' and status <> 'pending'",
        time("(blocked_on ->> 'since')::timestamptz"),
        time("(blocked_on ->> 'until')::timestamptz"),
        time("next_attempt_at"),
    ));
    serde_json::from_str(&rows).unwrap()
}

/// Waits until REST says this of the steps that are named, and the view says the same of all.
async fn agree(app: &App, psql: &Psql, run: &str, expected: &[(&str, &str, &str, Value)]) {
    until("both doors say the same", PATIENCE, async || {
        let rest = by_rest(app, run).await;
        let sql = by_sql(psql, run);
        // A row may have been written between the two.
        let same = rest == sql && rest == by_rest(app, run).await;
        let says = |(name, status, kind, detail): &(&str, &str, &str, Value)| {
            let kind = if kind.is_empty() {
                Value::Null
            } else {
                json!(kind)
            };
            rest.iter().any(|step| {
                (&step[0], &step[2], &step[3], &step[4])
                    == (&json!(name), &json!(status), &kind, detail)
            })
        };
        let missing = expected.iter().find(|step| !says(step));
        if !same || missing.is_some() {
            eprintln!("missing: {missing:?}\nREST {rest:#?}\nSQL {sql:#?}");
        }
        (same && missing.is_none()).then_some(())
    })
    .await;
}

const LATER: u64 = 600_000;

/// One step of each kind that waits, side by side, and maps of some.
fn all() -> Value {
    let agent = |name: &str| json!({"agent": name});
    let mut steps = vec![
        json!({"name": "rest", "type": "delay", "config": {"duration": 600}}),
        json!({"name": "hear", "type": "wait", "config": {"signal": "go", "timeout_ms": LATER}}),
        json!({"name": "ask", "type": "wait", "config": {"approval": {"prompt": "?"}}}),
        json!({"name": "asked", "type": "wait", "config": {"signal": "said", "approval": {"prompt": "?"}}}),
        json!({"name": "child", "type": "workflow", "config": {"workflow": "other"}}),
        json!({"name": "again", "type": "agent", "config": agent("broken")}),
        json!({"name": "later", "type": "agent", "config": agent("later")}),
        json!({"name": "print", "type": "external", "config": {"topic": "press"}, "timeout_ms": LATER}),
        json!({"name": "far", "type": "agent", "config": agent("ok"), "queue": "gpu"}),
        json!({"name": "seat", "type": "agent", "config": agent("one")}),
        json!({"name": "full", "type": "agent", "config": agent("one")}),
        json!({"name": "hears", "type": "map", "config": {"items": "${[1]}",
            "step": {"type": "wait", "config": {"signal": "each"}}}}),
        json!({"name": "prints", "type": "map", "config": {"items": "${[1]}",
            "step": {"type": "external", "config": {"topic": "paper"}}}}),
        json!({"name": "shared", "type": "map", "config": {"items": "${[1]}", "distribute": true,
            "step": {"type": "agent", "config": agent("held")}}}),
        json!({"name": "fars", "type": "map", "config": {"items": "${[1]}", "distribute": true,
            "step": {"type": "agent", "config": agent("ok"), "queue": "gpu"}}}),
    ];
    for step in &mut steps {
        step["needs"] = json!([]);
    }
    json!(steps)
}

#[tokio::test]
async fn the_view_says_what_rest_says_of_every_kind() {
    let app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/ok", |_| Reply::ok());
    agent.on("/held", |_| Reply::held());
    agent.on("/one", |_| Reply::held());
    agent.on("/broken", |_| Reply::Json(503, json!({})));
    agent.on("/later", |_| Reply::Json(202, json!({"callback": true})));
    let slowly = json!({"max_attempts": 3, "initial_interval_ms": LATER, "max_interval_ms": LATER, "jitter": 0});
    for (name, more) in [
        ("ok", json!({})),
        ("held", json!({})),
        ("one", json!({"max_concurrency": 1})),
        ("broken", json!({"retry_config": slowly})),
        ("later", json!({"timeout_ms": LATER})),
    ] {
        let url = agent.url(&format!("/{name}"));
        app.api.agent_with(name, &url, more).await;
    }
    let other = json!([{"name": "s", "type": "wait", "config": {"signal": "go"}}]);
    app.api.workflow("other", other).await;
    app.api.workflow("w", all()).await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/held", 1).await;
    let child = until("the child is there", PATIENCE, async || {
        let step = app.api.steps(&run).await;
        let step = step.into_iter().find(|step| step["name"] == "child")?;
        step["blocked_on"]["detail"].as_str().map(str::to_owned)
    })
    .await;
    // One of the two has the seat.
    let (seated, full) = until("one finds no seat", PATIENCE, async || {
        let steps = app.api.steps(&run).await;
        let busy = steps
            .iter()
            .find(|step| step["blocked_on"]["kind"] == "agent")?;
        Some(if busy["name"] == "seat" {
            ("full", "seat")
        } else {
            ("seat", "full")
        })
    })
    .await;
    let none = || Value::Null;
    let expected = [
        ("rest", "waiting", "delay", none()),
        ("hear", "waiting", "signal", json!("go")),
        ("ask", "waiting", "approval", json!("ask")),
        ("asked", "waiting", "approval", json!("said")),
        ("child", "waiting", "child", json!(child)),
        ("again", "waiting", "retry", none()),
        ("later", "waiting", "callback", none()),
        ("print", "waiting", "external", json!("press")),
        ("far", "waiting", "queue", json!("gpu")),
        (seated, "running", "", none()),
        (full, "waiting", "agent", none()),
        ("hears[0]", "waiting", "signal", json!("each")),
        ("prints[0]", "waiting", "external", json!("paper")),
        ("shared[0]", "running", "", none()),
        ("fars[0]", "waiting", "queue", json!("gpu")),
    ];
    agree(&app, &psql, &run, &expected).await;
    // Who makes an attempt elsewhere is its worker; the time of a timeout is none of another attempt.
    let row = psql.run(&format!(
        "select (select w.name from stepwell.v_workers w where w.id = s.worker_id) is not null, s.next_attempt_at
         from stepwell.v_steps s where run_id = '{run}' and name in ('shared[0]', 'print', 'later') order by place"
    ));
    assert_eq!(row, "t|\nt|\nt|");
    app.api
        .post(&format!("runs/{run}/cancel"), json!({}))
        .await
        .of(202);
    agent.release("/one");
    agent.release("/held");
    app.api.finished(&run).await;
    assert_eq!(by_sql(&psql, &run), by_rest(&app, &run).await);
    app.finish().await;
}

#[tokio::test]
async fn the_view_says_what_rest_says_of_what_is_undone() {
    let app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database);
    let agent = Agent::start().await;
    agent.on("/broken", |_| Reply::Json(503, json!({})));
    let slowly = json!({"retry_config": {"max_attempts": 3, "initial_interval_ms": LATER, "max_interval_ms": LATER, "jitter": 0}});
    app.api
        .agent_with("broken", &agent.url("/broken"), slowly)
        .await;
    let undo = json!({"name": "undo", "type": "agent", "config": {"agent": "broken"}});
    let no = json!({"name": "no", "type": "http", "config": {"url": "http://127.0.0.1:9/"}, "retry": {"max_attempts": 1}});
    let on_failure = json!({"on_failure": [undo]});
    app.api
        .workflow_with("fails", json!([no]), on_failure)
        .await;
    let run = app.api.start("fails", json!({})).await;
    app.api.reaches(&run, "waiting").await;
    let expected = [
        ("undo:*", "running", "", Value::Null),
        ("undo", "waiting", "retry", Value::Null),
    ];
    agree(&app, &psql, &run, &expected).await;
    let compensate = json!({"type": "agent", "config": {"agent": "broken"}});
    let pay = json!({"name": "pay", "type": "transform", "config": {"value": 1}, "compensate": compensate});
    let steps = json!([pay, no]);
    app.api.workflow("undoes", steps).await;
    let run = app.api.start("undoes", json!({})).await;
    app.api.reaches(&run, "waiting").await;
    let expected = [("undo:pay", "waiting", "retry", Value::Null)];
    agree(&app, &psql, &run, &expected).await;
    app.finish().await;
}
