//! Queues are paused and resumed by SQL as they are by REST.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Reply};
use crate::sql::psql::Psql;

fn records(psql: &Psql, queue: &str) -> Value {
    let text = psql.run(&format!(
        "select jsonb_agg(jsonb_build_array(a.entity_type, a.sequence, a.action, a.before, a.after, a.detail) order by a.sequence)
         from stepwell.v_audit a where a.entity_id = (select id from stepwell.queue where name = '{queue}')"
    ));
    let text = text.replace(queue, "Q");
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_paused_queue_gives_nothing_until_it_is_resumed() {
    let mut app = App::separate(1, &[]).await;
    let psql = Psql::new(&app.database).after("set stepwell.request_id = 'r-1'");
    app.api
        .workflow(
            "w",
            json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
        )
        .await;
    let first = psql.run("select stepwell.execute('w', '{}');");
    app.api.finished(&first).await;
    assert_eq!(
        psql.run("select stepwell.pause_queue('default');"),
        "paused"
    );
    assert_eq!(
        psql.run("select stepwell.pause_queue('default');"),
        "paused"
    );
    let queue = app.api.get("queues/default").await.of(200).body;
    assert_eq!(queue["paused_by"], "sql:postgres", "{queue}");
    // A second worker knows of no earlier claim, and takes nothing either.
    app.worker();
    let run = psql.run("select stepwell.execute('w', '{}');");
    let row = psql.run(&format!(
        "select kind, since <= now(), until, detail from stepwell.v_blocked where run_id = '{run}'"
    ));
    assert_eq!(row, "queue_paused|t||default");
    assert_eq!(
        psql.run("select name, ready, paused_at is not null, paused_by, max_running from stepwell.v_queues"),
        "default|1|t|sql:postgres|"
    );
    assert_eq!(
        psql.run("select stepwell.resume_queue('default');"),
        "active"
    );
    app.api.finished(&run).await;
    assert_eq!(
        psql.run("select stepwell.resume_queue('default');"),
        "active"
    );
    let actors = psql
        .run("select distinct actor, request_id from stepwell.v_audit where entity_type = 'queue'");
    assert_eq!(actors, "sql:postgres|r-1");
    app.finish().await;
}

#[tokio::test]
async fn both_doors_write_the_same_about_a_queue() {
    let app = App::separate(0, &[]).await;
    let psql = Psql::new(&app.database);
    for command in ["pause", "pause", "resume", "resume", "pause"] {
        app.api
            .send(
                app.api
                    .request(reqwest::Method::POST, &format!("queues/one/{command}")),
            )
            .await
            .of(200);
        psql.run(&format!("select stepwell.{command}_queue('two');"));
    }
    assert_eq!(records(&psql, "one"), records(&psql, "two"));
    assert_eq!(records(&psql, "two").as_array().unwrap().len(), 3);
    for command in ["pause", "resume"] {
        for name in ["''", "'a b'", "'-a'", "repeat('x', 65)", "null"] {
            psql.refused(&format!("select stepwell.{command}_queue({name});"))
                .is("P0002", &["no queue"]);
        }
    }
    app.api
        .send(
            app.api
                .request(reqwest::Method::POST, "queues/nobody/resume"),
        )
        .await
        .problem(404);
    psql.refused("select stepwell.resume_queue('nobody');")
        .is("P0002", &["no queue nobody"]);
    assert_eq!(
        app.database
            .number("select count(*) from stepwell.queue where revision = 0")
            .await,
        0
    );
    app.finish().await;
}

#[tokio::test]
async fn a_full_queue_says_so() {
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
    app.api
        .put("queues/default", json!({"max_running": 1}))
        .await
        .of(200);
    app.worker();
    let first = app.api.start("w", json!({})).await;
    agent.called("/a", 1).await;
    let second = app.api.start("w", json!({})).await;
    assert_eq!(
        psql.run("select run_id, kind, detail from stepwell.v_blocked"),
        format!("{second}|queue_limit|default")
    );
    assert_eq!(
        psql.run("select leased, ready, max_running from stepwell.v_queues"),
        "1|1|1"
    );
    agent.release("/a");
    agent.called("/a", 2).await;
    agent.release("/a");
    for run in [first, second] {
        app.api.finished(&run).await;
    }
    app.finish().await;
}
