//! `stepwell.execute`: a run begins if, and only if, the caller's transaction commits.

use serde_json::{Value, json};

use crate::harness::{App, with_app};
use crate::sql::psql::Psql;

fn steps() -> Value {
    json!([{"name": "t", "type": "transform", "config": {"value": "${input.n}"}}])
}

#[tokio::test]
async fn a_run_begins_with_the_commit_and_only_then() {
    with_app(async |app| {
        let workflow = app.api.workflow("w", steps()).await;
        let psql = Psql::new(&app.database);
        let gone = psql.run("begin; select stepwell.execute('w', '{\"n\": 1}'); rollback;");
        app.api.get(&format!("runs/{gone}")).await.problem(404);
        psql.run("create table orders (id int, run uuid);");
        let id = psql.run(
            "begin; insert into orders values (7, stepwell.execute('w', '{\"n\": 7}')); commit; select run from orders;",
        );
        let run = app.api.finished(&id).await;
        assert_eq!((&run["status"], &run["output"]), (&json!("completed"), &json!(7)));
        assert_eq!(run["triggered_by"], "sql:postgres");
        let by_id = psql.run(&format!("select stepwell.execute('{workflow}', '{{\"n\": 8}}');"));
        assert_eq!(app.api.finished(&by_id).await["output"], 8);
        let left = "select count(*) from stepwell.run";
        assert_eq!(app.database.number(left).await, 2);
        let audited = app.database.number("select count(*) from stepwell.audit where action = 'run.created'").await;
        assert_eq!(audited, 2, "what was rolled back left no record");
    })
    .await;
}

#[tokio::test]
async fn every_option_is_heeded() {
    let app = App::separate(0, &[]).await;
    app.api.workflow("w", steps()).await;
    app.api
        .put("workflows/w", json!({"name": "w", "steps": [{"name": "other", "type": "transform", "config": {"value": 1}},
            {"name": "more", "type": "transform", "config": {"value": 2}}]}))
        .await
        .of(200);
    let psql = Psql::new(&app.database).after("set stepwell.request_id = 'from-the-setting'");
    let id = psql.run(
        r#"select stepwell.execute(workflow => 'w', input => '{"n": [1, {"ü": null}]}', options =>
            '{"version": 1, "priority": -7, "queue": "slow", "labels": {"team/name": "é"}, "timeout_ms": 5000,
              "dedupe_key": "k", "run_at": "2030-01-01T00:00:00+01:00", "request_id": null,
              "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}' #- '{run_at}'
            || jsonb_build_object('run_at', now() + interval '1 day'));"#,
    );
    let run = app.api.run(&id).await;
    assert_eq!(run["status"], "waiting");
    assert_eq!(run["blocked_on"]["kind"], "run_at");
    assert_eq!(run["input"], json!({"n": [1, {"ü": null}]}));
    assert_eq!(
        (&run["version"], &run["steps_total"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(
        (&run["priority"], &run["queue"]),
        (&json!(-7), &json!("slow"))
    );
    assert_eq!(run["labels"], json!({"team/name": "é"}));
    let stored = psql.run(&format!(
        "select timeout_ms, dedupe_key, request_id, traceparent from stepwell.run where id = '{id}'"
    ));
    assert_eq!(
        stored,
        "5000|k|from-the-setting|00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    );
    let trail = app.api.audit(&id).await;
    assert_eq!(
        (&trail[0]["actor"], &trail[0]["request_id"]),
        (&json!("sql:postgres"), &json!("from-the-setting"))
    );
    let plain = psql.run("select stepwell.execute('w', null, null);");
    let run = app.api.run(&plain).await;
    assert_eq!(
        (&run["input"], &run["version"], &run["queue"]),
        (&json!({}), &json!(2), &json!("default"))
    );
    let named =
        psql.run(r#"select stepwell.execute('w', '{}', '{"request_id": "of-the-option"}');"#);
    assert_eq!(
        app.api.audit(&named).await[0]["request_id"],
        "of-the-option"
    );
    app.finish().await;
}

#[tokio::test]
async fn a_key_is_held_by_one_live_run() {
    let app = App::separate(0, &[]).await;
    app.api.workflow("w", steps()).await;
    let psql = Psql::new(&app.database);
    let execute = r#"select stepwell.execute('w', '{}', '{"dedupe_key": "k"}');"#;
    psql.run(&format!("begin; {execute} rollback;"));
    let first = psql.run(execute);
    psql.refused(execute).is("23505", &[&first, "dedupe_key"]);
    app.api
        .post("workflows/w/execute", json!({"dedupe_key": "k"}))
        .await
        .problem(409);
    psql.run(&format!("select stepwell.cancel_run('{first}');"));
    let second = app.api.start_with("w", json!({"dedupe_key": "k"})).await;
    psql.refused(execute).is("23505", &[&second]);
    psql.refused(&format!("select stepwell.retry_run('{first}');"))
        .is("23505", &[&second]);
    app.finish().await;
}

#[tokio::test]
async fn a_thousand_in_one_transaction_all_complete() {
    with_app(async |app| {
        app.api.workflow("w", steps()).await;
        let psql = Psql::new(&app.database);
        let made = psql.run(
            "begin; create table made as select n, stepwell.execute('w', jsonb_build_object('n', n)) as run
                    from generate_series(1, 1000) as n; commit;
             select count(distinct run) from made;
             select count(*) from (select run < lag(run) over (order by n) as back from made) m where back;",
        );
        assert_eq!(made, "1000\n0", "every id is its own, and they grow");
        crate::harness::until("a thousand runs complete", crate::harness::PATIENCE, async || {
            let left = app.database.number("select count(*) from stepwell.job").await;
            (left == 0).then_some(())
        })
        .await;
        let right = psql.run(
            "select count(*) from made m join stepwell.v_runs r on r.id = m.run
             where r.status = 'completed' and (r.output #>> '{}')::int = m.n;",
        );
        assert_eq!(right, "1000");
    })
    .await;
}

#[tokio::test]
async fn an_idle_worker_hears_of_the_commit() {
    // It would not look for itself for a minute, and the test waits for less.
    let mut app = App::separate(0, &[("STEPWELL_WORKER_POLL_MS", "60000")]).await;
    app.api.workflow("w", steps()).await;
    app.worker();
    let psql = Psql::new(&app.database);
    // The first may meet the worker while it starts.
    for n in 0..3 {
        let id = psql.run(&format!(
            "begin; select stepwell.execute('w', '{{\"n\": {n}}}'); commit;"
        ));
        app.api.finished(&id).await;
    }
    app.finish().await;
}

#[tokio::test]
async fn a_run_that_is_cancelled_at_once_took_no_time_at_all() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let psql = Psql::new(&app.database);
        let took = psql.run(
            "begin;
             select stepwell.execute('w', '{}') as run \\gset
             select stepwell.cancel_run(:'run') \\gset
             commit;
             select status, finished_at - created_at between interval '0' and interval '1 minute'
             from stepwell.v_runs where id = :'run';",
        );
        assert_eq!(took, "cancelled|t");
    })
    .await;
}

#[tokio::test]
async fn a_run_says_which_run_it_comes_from() {
    with_app(async |app| {
        let steps = json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]);
        app.api.workflow("w", steps).await;
        let psql = Psql::new(&app.database);
        let first = app.api.start("w", json!({})).await;
        psql.run(&format!("select stepwell.signal_run('{first}', 'go');"));
        app.api.finished(&first).await;
        let appeal = json!({"reason": "I see it otherwise"});
        let path = format!("runs/{first}/appeal");
        let second = app.api.post(&path, appeal).await.of(202).text("/run_id");
        let from = |view: &str, id: &str| {
            psql.run(&format!(
                "select forked_from from stepwell.{view} where id = '{id}'"
            ))
        };
        assert_eq!(from("v_runs", &second), first);
        assert_eq!(from("v_live", &second), first);
        assert_eq!(from("v_runs", &first), "");
        psql.run(&format!("select stepwell.cancel_run('{second}');"));
        app.api.finished(&second).await;
        assert_eq!(from("v_failed", &second), first);
    })
    .await;
}
