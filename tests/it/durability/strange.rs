//! What goes wrong in the database is no run's fault, unless it provably is.

use serde_json::{Value, json};

use crate::harness::{Agent, App, Database, PATIENCE, Reply, until, with_app};

/// I/O error, a transaction that took too long (PostgreSQL 17), a right that is missing, an internal error, a trigger
/// of somebody else: one that is known to pass, and some of which nobody knows.
const CODES: [&str; 5] = ["58030", "25P04", "42501", "XX000", "P0001"];
const KNOWN_TO_PASS: [&str; 2] = ["58030", "25P04"];
const RUNS: usize = 30;

/// Whatever is written to this table from now on is refused with this code.
async fn refuse(database: &Database, table: &str, when: &str, code: &str) {
    database
        .run(&format!(
            "create or replace function public.refuse() returns trigger language plpgsql as
             $$ begin raise exception 'not now' using errcode = '{code}'; end $$"
        ))
        .await;
    database
        .run(&format!(
            "create trigger refuse before insert or update on stepwell.{table} for each row
             {when} execute function public.refuse()"
        ))
        .await;
}

async fn relent(database: &Database, table: &str) {
    database
        .run(&format!("drop trigger refuse on stepwell.{table}"))
        .await;
}

/// Of one worker: how often something happened.
async fn counted(app: &App, name: &str) -> f64 {
    let metrics = app.api.get("/metrics").await.of(200).raw;
    let line = metrics
        .lines()
        .find(|line| line.split([' ', '{']).next() == Some(name));
    let number = line.and_then(|line| line.rsplit(' ').next());
    number.map_or(0.0, |number| number.parse().unwrap())
}

#[tokio::test]
async fn an_error_that_nobody_is_to_blame_for_fails_no_run_and_orphans_none() {
    for code in CODES {
        with_app(async |app| {
            let agent = Agent::start().await;
            agent.on("/a", |_| Reply::held());
            app.api.agent("a", &agent.url("/a")).await;
            let steps = json!([{"name": "a", "type": "agent", "config": {"agent": "a"}},
                {"name": "t", "type": "transform", "config": {"value": 1}}]);
            app.api.workflow("w", steps).await;
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                runs.push(app.api.start("w", json!({})).await);
            }
            agent.called("/a", RUNS).await;
            // Those that are shown as running are written before it begins.
            until("all are shown", PATIENCE, async || {
                let shown = "select count(*) from stepwell.step where status = 'running'";
                (app.database.number(shown).await == i64::try_from(RUNS).unwrap()).then_some(())
            })
            .await;
            refuse(&app.database, "step", "", code).await;
            agent.release("/a");
            if !KNOWN_TO_PASS.contains(&code) {
                until(
                    &format!("{code}: runs are set aside"),
                    PATIENCE,
                    async || {
                        (counted(app, "stepwell_commits_set_aside_total").await >= 1.0)
                            .then_some(())
                    },
                )
                .await;
            }
            relent(&app.database, "step").await;
            for run in &runs {
                let done = app.api.finished(run).await;
                assert_eq!(done["status"], "completed", "{code}: {done}");
            }
            assert_eq!(
                agent.calls("/a").len(),
                RUNS,
                "{code}: no call is made again"
            );
        })
        .await;
    }
}

#[tokio::test]
async fn one_run_that_the_database_does_not_take_keeps_nobody_waiting() {
    with_app(async |app| {
        let steps = |value: Value| json!([{"name": "bad", "type": "transform", "config": {"value": value}}]);
        app.api.workflow("bad", steps(json!(1))).await;
        app.api
            .workflow("good", json!([{"name": "good", "type": "transform", "config": {"value": 1}}]))
            .await;
        refuse(&app.database, "step", "when (new.name = 'bad')", "P0001").await;
        let bad = app.api.start("bad", json!({})).await;
        until("it is set aside", PATIENCE, async || {
            (counted(app, "stepwell_commits_set_aside_total").await >= 1.0).then_some(())
        })
        .await;
        for _ in 0..RUNS {
            let done = app.api.execute("good", json!({})).await;
            assert_eq!(done["status"], "completed", "{done}");
        }
        relent(&app.database, "step").await;
        assert_eq!(app.api.finished(&bad).await["status"], "completed");
    })
    .await;
}

#[tokio::test]
async fn a_run_whose_end_is_refused_rests_and_says_so() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([{"name": "t", "type": "transform", "config": {"value": 1}}]),
            )
            .await;
        refuse(
            &app.database,
            "run",
            "when (new.status <> 'pending')",
            "23514",
        )
        .await;
        let run = app.api.start("w", json!({})).await;
        let blocked = async || {
            let why =
                "select kind from stepwell.v_blocked where kind = 'refused' and until > now()";
            app.database.text(why).await
        };
        until("it rests", PATIENCE, blocked).await;
        let shown = app.api.run(&run).await;
        assert_eq!(shown["status"], "waiting", "{shown}");
        assert_eq!(shown["blocked_on"]["kind"], "refused", "{shown}");
        relent(&app.database, "run").await;
        // Whoever says something to it does not have to wait.
        app.api
            .post(
                &format!("runs/{run}/signals/wake"),
                json!({"payload": null}),
            )
            .await
            .of(202);
        assert_eq!(app.api.finished(&run).await["status"], "completed");
        let leased = "select count(*) from stepwell.job";
        assert_eq!(app.database.number(leased).await, 0);
    })
    .await;
}
