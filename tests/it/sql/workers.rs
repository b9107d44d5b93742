//! What the API says of workers and what the view says is the same, whatever became of them.

use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, Reply, until};

/// A worker in each state, and one that is silent and not yet marked; none of them is a process.
const WORKERS: &str = "
    insert into stepwell.worker (id, name, version, queues, slots, dead_after_ms, status, seen_at, ended_at, freed_at, running, rates)
    select stepwell.uuid7(), name, '0', '{default}', 10, 20000, status, now() - silent, ended, ended, 7, '{\"default\": 1.5}'
    from (values ('lives', 'alive', interval '1 s', null::timestamptz), ('drains', 'draining', '1 s', null),
                 ('silent', 'alive', '21 s', null), ('silent drains', 'draining', '1 h', null),
                 ('was dead', 'dead', '1 h', now()), ('is gone', 'gone', '1 h', now())) as w (name, status, silent, ended)";

#[tokio::test]
async fn the_api_and_the_view_agree_about_every_worker() {
    let mut app = App::separate(0, &[]).await;
    app.database.run(WORKERS).await;
    let shown = agreed(&app).await;
    let status = |name: &str| {
        let found = shown.iter().find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("{name}: {shown:?}"))["status"].clone()
    };
    for (name, expected) in [
        ("lives", "alive"),
        ("drains", "draining"),
        ("silent", "dead"),
        ("silent drains", "dead"),
        ("was dead", "dead"),
        ("is gone", "gone"),
    ] {
        assert_eq!(status(name), expected, "{name}");
    }
    let listed = app.api.read("workers").await.body;
    let mut living: Vec<_> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    living.sort_by_key(Value::to_string);
    assert_eq!(
        living,
        ["drains", "lives"],
        "without a filter: those that live"
    );

    // What a real one holds counts from the moment that it holds it, while it lives and after.
    app.worker();
    let agent = Agent::start().await;
    agent.on("/a", |_| Reply::held());
    app.api.agent("a", &agent.url("/a")).await;
    let steps = json!([{"name": "s", "type": "agent", "config": {"agent": "a"}}]);
    app.api.workflow("w", steps).await;
    let mut runs = Vec::new();
    for _ in 0..3 {
        runs.push(app.api.start("w", json!({})).await);
    }
    agent.called("/a", 3).await;
    assert_eq!(running(&agreed(&app).await), 3);
    agent.release("/a");
    for run in &runs {
        app.api.finished(run).await;
    }
    until("nothing is held", PATIENCE, async || {
        (running(&agreed(&app).await) == 0).then_some(())
    })
    .await;
    assert_eq!(app.processes[1].stop().await.code(), Some(0));
    let ended = agreed(&app).await;
    let ended = ended.iter().find(|one| one["name"] == "worker1").unwrap();
    assert_eq!(ended["status"], "gone");
    // They never were processes that could say goodbye.
    app.database
        .run("delete from stepwell.worker where version = '0'")
        .await;
    app.finish().await;
}

fn running(workers: &[Value]) -> i64 {
    let real = workers.iter().filter(|one| one["name"] == "worker1");
    real.map(|one| one["running"].as_i64().unwrap()).sum()
}

/// Reads both, and again where something changed in between; returns what both say.
async fn agreed(app: &App) -> Vec<Value> {
    until("the view stands still", PATIENCE, async || {
        let before = viewed(app).await;
        let mut listed = Vec::new();
        for word in ["alive", "draining", "dead", "gone"] {
            let found = app.api.read(&format!("workers?status={word}")).await.body;
            listed.extend(found["items"].as_array().unwrap().iter().cloned());
        }
        for one in &mut listed {
            let id = one["id"].as_str().unwrap();
            let alone = app.api.read(&format!("workers/{id}")).await.body;
            let fields = [
                "id",
                "name",
                "status",
                "running",
                "slots",
                "queues",
                "rates",
                "clock_skew_ms",
            ];
            let of = |one: &Value| {
                fields
                    .map(|field| (field.to_owned(), one[field].clone()))
                    .into_iter()
                    .collect::<serde_json::Map<_, _>>()
            };
            if viewed(app).await == before {
                assert_eq!(of(&alone), of(one));
            }
            *one = Value::Object(of(one));
        }
        if viewed(app).await != before {
            return None;
        }
        listed.sort_by_key(|one| one["id"].to_string());
        let before = before.as_array().unwrap();
        assert_eq!(&listed, before);
        Some(listed)
    })
    .await
}

async fn viewed(app: &App) -> Value {
    let sql = "select coalesce(json_agg(json_build_object('id', id, 'name', name, 'status', status, 'running', running,
            'slots', slots, 'queues', queues, 'rates', rates, 'clock_skew_ms', clock_skew_ms) order by id), '[]')::text
        from stepwell.v_workers";
    serde_json::from_str(&app.database.text(sql).await.unwrap()).unwrap()
}
