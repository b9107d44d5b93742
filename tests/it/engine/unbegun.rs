//! What is said to a run that nobody has begun: it neither brings its beginning forward nor is lost.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, until, with_app};
use crate::sql::psql::Psql;

/// A step that calls the agent `one`.
fn call() -> Value {
    json!([{"name": "s", "type": "agent", "config": {"agent": "one"}}])
}

async fn agent(app: &App) -> Agent {
    let agent = Agent::start().await;
    app.api.agent("one", &agent.url("/one")).await;
    agent
}

/// Waits until a driver has had the run and has let it go again.
async fn was_taken_up(app: &App, id: &str) {
    let sql =
        format!("select count(*) from stepwell.job where run_id = '{id}' and state = 'parked'");
    until("a driver lets go of the run", PATIENCE, async || {
        (app.database.number(&sql).await == 1).then_some(())
    })
    .await;
}

async fn say(app: &App, id: &str, what: &str) -> Value {
    let path = format!("runs/{id}/{what}");
    app.api.post(&path, json!({})).await.of(202).body
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_run_for_later_that_is_paused_begins_neither_before_nor_at_its_time() {
    with_app(async |app| {
        let agent = agent(app).await;
        app.api.workflow("w", call()).await;
        let far = json!({"run_at": Utc::now() + TimeDelta::hours(1)});
        let id = app.api.start_with("w", far.clone()).await;
        assert_eq!(say(app, &id, "pause").await["status"], "paused");
        let run = app.api.run(&id).await;
        assert_eq!(run["blocked_on"]["kind"], "paused", "{run}");
        assert!(time(&run["blocked_on"]["since"]) >= time(&run["created_at"]));
        assert_eq!(say(app, &id, "pause").await["status"], "paused");
        assert_eq!(say(app, &id, "resume").await["status"], "waiting");
        let run = app.api.run(&id).await;
        assert_eq!(run["blocked_on"]["kind"], "run_at", "{run}");
        let off = time(&run["blocked_on"]["until"]) - time(&far["run_at"]);
        assert!(off.abs() <= TimeDelta::milliseconds(1), "{run}");
        assert_eq!(
            app.api.actions(&id).await,
            ["run.created", "run.paused", "run.resumed"]
        );
        say(app, &id, "pause").await;
        app.api
            .post(&format!("runs/{id}/cancel"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.run(&id).await["status"], "cancelled");

        let soon = json!({"run_at": Utc::now() + TimeDelta::milliseconds(500)});
        let id = app.api.start_with("w", soon).await;
        say(app, &id, "pause").await;
        was_taken_up(app, &id).await;
        let run = app.api.run(&id).await;
        assert_eq!(
            (&run["status"], &run["started_at"]),
            (&json!("paused"), &Value::Null)
        );
        assert_eq!(agent.all().len(), 0);
        say(app, &id, "resume").await;
        assert_eq!(app.api.finished(&id).await["status"], "completed");
        assert_eq!(
            app.api.actions(&id).await,
            [
                "run.created",
                "run.paused",
                "run.resumed",
                "run.started",
                "step.completed s",
                "run.completed"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_signal_to_a_run_for_later_is_kept_for_it() {
    with_app(async |app| {
        let steps = json!([{"name": "ask", "type": "wait", "config": {"signal": "go"}}]);
        app.api.workflow("w", steps).await;
        let at = Utc::now() + TimeDelta::milliseconds(700);
        let id = app.api.start_with("w", json!({"run_at": at})).await;
        let signal = format!("runs/{id}/signals/go");
        let told = app
            .api
            .post(&signal, json!({"payload": 7}))
            .await
            .of(202)
            .body;
        assert_eq!(told["status"], "waiting");
        let run = app.api.finished(&id).await;
        assert_eq!(
            (&run["status"], &run["output"]),
            (&json!("completed"), &json!(7))
        );
        assert!(
            time(&run["started_at"]) >= at - TimeDelta::milliseconds(1),
            "{run}"
        );

        let far = json!({"run_at": Utc::now() + TimeDelta::hours(1)});
        let id = app.api.start_with("w", far).await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        app.api
            .post(&format!("runs/{id}/cancel"), json!({}))
            .await
            .of(202);
        assert_eq!(app.api.run(&id).await["status"], "cancelled");
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_paused_before_a_worker_has_it_makes_no_step() {
    with_app(async |app| {
        let agent = agent(app).await;
        app.api.workflow("w", call()).await;
        app.api
            .post("queues/default/pause", json!({}))
            .await
            .of(200);
        let id = app.api.start("w", json!({})).await;
        assert_eq!(say(app, &id, "pause").await["status"], "paused");
        let psql = Psql::new(&app.database);
        let by_sql = psql.run(
            "begin; select stepwell.execute('w', '{}') as id \\gset
             select stepwell.pause_run(:'id') as status \\gset
             commit; select :'id' || ' ' || :'status';",
        );
        let (by_sql, status) = by_sql.split_once(' ').unwrap();
        assert_eq!(status, "paused");
        app.api
            .post("queues/default/resume", json!({}))
            .await
            .of(200);
        for id in [&id, by_sql] {
            was_taken_up(app, id).await;
            assert_eq!(app.api.run(id).await["status"], "paused");
            assert_eq!(app.api.actions(id).await, ["run.created", "run.paused"]);
        }
        assert_eq!(agent.all().len(), 0);
        say(app, &id, "resume").await;
        psql.run(&format!("select stepwell.resume_run('{by_sql}');"));
        for id in [&id, by_sql] {
            assert_eq!(app.api.finished(id).await["status"], "completed");
        }
        assert_eq!(agent.all().len(), 2);
    })
    .await;
}

/// What each record says of the run's status: `action before after`.
async fn chain(app: &App, id: &str) -> Vec<String> {
    let trail = app.api.audit(id).await;
    let of_run = trail.iter().filter(|record| record["step"].is_null());
    of_run
        .map(|record| {
            let word = |name: &str| record[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", word("action"), word("before"), word("after"))
        })
        .collect()
}

#[tokio::test]
async fn the_trail_says_where_a_run_stood_that_was_paused_before_it_began() {
    with_app(async |app| {
        let agent = agent(app).await;
        app.api.workflow("w", call()).await;
        // Cancelled where it stands.
        let far = json!({"run_at": Utc::now() + TimeDelta::hours(1)});
        let id = app.api.start_with("w", far).await;
        say(app, &id, "pause").await;
        say(app, &id, "cancel").await;
        assert_eq!(
            chain(app, &id).await,
            [
                "run.created - pending",
                "run.paused pending paused",
                "run.cancelled paused cancelled"
            ]
        );
        // Taken up by a driver while it is paused, and resumed and cancelled there.
        for (word, end) in [
            (
                "resume",
                [
                    "run.resumed paused pending",
                    "run.started pending running",
                    "run.completed running completed",
                ]
                .as_slice(),
            ),
            ("cancel", &["run.cancelled paused cancelled"]),
        ] {
            let soon = json!({"run_at": Utc::now() + TimeDelta::milliseconds(400)});
            let id = app.api.start_with("w", soon).await;
            say(app, &id, "pause").await;
            was_taken_up(app, &id).await;
            say(app, &id, word).await;
            app.api.finished(&id).await;
            let told = chain(app, &id).await;
            assert_eq!(
                told[..2],
                ["run.created - pending", "run.paused pending paused"]
            );
            let rest: Vec<_> = told[2..]
                .iter()
                .filter(|line| *line != "run.started - -")
                .collect();
            assert_eq!(rest, end.iter().collect::<Vec<_>>(), "{told:?}");
        }
        assert_eq!(agent.all().len(), 1);
    })
    .await;
}
