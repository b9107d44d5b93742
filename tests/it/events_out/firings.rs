//! Schedules fire: each time once, however many processes there are and whatever dies.

use serde_json::json;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{App, PATIENCE, until, with_app};

const SECOND: &str = "* * * * * *";

async fn quick(app: &App) {
    let steps = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("quick", steps).await;
}

/// A workflow whose runs wait for a signal.
async fn patient(app: &App) {
    let steps = json!([{"name": "w", "type": "wait", "config": {"signal": "go"}}]);
    app.api.workflow("patient", steps).await;
}

async fn fired(app: &App, action: &str) -> i64 {
    let count = format!("select count(*) from stepwell.audit where action = 'schedule.{action}'");
    app.database.number(&count).await
}

async fn until_fired(app: &App, action: &str, count: i64) {
    until(
        &format!("{count} times schedule.{action}"),
        PATIENCE,
        async || (fired(app, action).await >= count).then_some(()),
    )
    .await;
}

#[tokio::test]
async fn each_firing_happens_once_with_many_processes_and_one_killed() {
    let mut app = App::separate(3, QUICK_DEATHS).await;
    quick(&app).await;
    let body = json!({"name": "tick", "workflow": "quick", "cron": SECOND, "catch_up": 100});
    let id = app.api.post("schedules", body).await.of(201).text("/id");
    until_fired(&app, "fired", 3).await;
    app.processes[1].kill().await;
    let so_far = fired(&app, "fired").await;
    until_fired(&app, "fired", so_far + 4).await;
    app.api.delete("schedules/tick").await.of(204);
    let numbers = async |sql: &str| app.database.number(sql).await;
    let at = "(after ->> 'at')::timestamptz";
    let all = format!("from stepwell.audit where action = 'schedule.fired' and entity_id = '{id}'");
    let count = numbers(&format!("select count(*) {all}")).await;
    assert_eq!(
        numbers(&format!("select count(distinct {at}) {all}")).await,
        count,
        "none twice"
    );
    let span = format!("select 1 + extract(epoch from max({at}) - min({at}))::bigint {all}");
    assert_eq!(numbers(&span).await, count, "none left out");
    let runs = format!("select count(*) from stepwell.run where triggered_by = 'schedule:{id}'");
    assert_eq!(numbers(&runs).await, count, "a run for each");
    until("every run ends", PATIENCE, async || {
        (app.database
            .number("select count(*) from stepwell.job")
            .await
            == 0)
            .then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn a_firing_is_skipped_or_cancels_while_the_run_before_is_not_over() {
    with_app(async |app| {
        patient(app).await;
        let body = json!({"name": "skips", "workflow": "patient", "cron": SECOND, "overlap": "skip"});
        app.api.post("schedules", body).await.of(201);
        until_fired(app, "skipped", 2).await;
        let runs = "select count(*) from stepwell.run";
        assert_eq!(app.database.number(runs).await, 1);
        let schedule = app.api.get("schedules/skips").await.of(200).body;
        let first = schedule["last_run_id"].as_str().unwrap().to_owned();
        app.api.post(&format!("runs/{first}/signals/go"), json!({})).await.of(202);
        app.api.finished(&first).await;
        until("the next one runs", PATIENCE, async || {
            (app.database.number(runs).await == 2).then_some(())
        })
        .await;
        app.api.delete("schedules/skips").await.of(204);

        let body = json!({"name": "cancels", "workflow": "patient", "cron": SECOND, "overlap": "cancel_running"});
        app.api.post("schedules", body).await.of(201);
        let before = fired(app, "fired").await;
        until_fired(app, "fired", before + 3).await;
        app.api.delete("schedules/cancels").await.of(204);
        let live = "select count(*) from stepwell.run where finished_at is null";
        until("all but the last two are cancelled", PATIENCE, async || {
            (app.database.number(live).await == 2).then_some(())
        })
        .await;
        let cancelled = app.api.get("runs?status=cancelled").await.of(200).body;
        let run = &cancelled["items"][0];
        assert!(run["cancelled_by"].as_str().unwrap().starts_with("schedule:"), "{run}");
        assert_eq!(run["cancel_reason"], "the schedule's next run began");
    })
    .await;
}

#[tokio::test]
async fn missed_firings_are_made_up_for_within_bounds() {
    with_app(async |app| {
        quick(app).await;
        for catch_up in [0, 2] {
            let name = format!("hourly{catch_up}");
            let body = json!({"name": name, "workflow": "quick", "cron": "0 * * * *", "catch_up": catch_up});
            let id = app.api.post("schedules", body).await.of(201).text("/id");
            // As if nothing had run for five and a half hours.
            app.database
                .run(&format!(
                    "update stepwell.schedule set next_at = date_trunc('hour', now()) - interval '5 hours' where id = '{id}'"
                ))
                .await;
            until("it goes on", PATIENCE, async || {
                let next = app.api.get(&format!("schedules/{id}")).await.of(200).text("/next_at");
                let next: chrono::DateTime<chrono::Utc> = next.parse().unwrap();
                (next > chrono::Utc::now()).then_some(())
            })
            .await;
            let runs = format!("select count(*) from stepwell.run where triggered_by = 'schedule:{id}'");
            let made = app.database.number(&runs).await;
            // One more when the hour is just over: that one is in time.
            assert!(made == catch_up || made == catch_up + 1, "{made} of {catch_up}");
        }
        until_fired(app, "missed", 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_fired_run_counts_the_steps_that_are_to_be_made() {
    with_app(async |app| {
        let quick = json!({"type": "transform", "config": {"value": 1}});
        let step =
            json!({"name": "s", "type": "transform", "config": {"value": 1}, "compensate": quick});
        let told = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api
            .workflow_with("w", json!([step]), json!({"on_failure": told}))
            .await;
        let body = json!({"name": "yearly", "workflow": "w", "cron": "0 0 1 1 *"});
        app.api.post("schedules", body).await.of(201);
        let fired = app.api.post("schedules/yearly/run", json!(null)).await;
        let id = fired.of(202).text("/id");
        let run = app.api.get(&format!("runs/{id}")).await.of(200).body;
        assert_eq!(run["steps_total"], 1, "{run}");
    })
    .await;
}

#[tokio::test]
async fn a_schedule_whose_workflow_is_gone_says_so_and_goes_on() {
    with_app(async |app| {
        quick(app).await;
        let body = json!({"name": "orphan", "workflow": "quick", "cron": SECOND});
        app.api.post("schedules", body).await.of(201);
        until_fired(app, "fired", 1).await;
        app.api.delete("workflows/quick").await.of(204);
        until_fired(app, "failed", 1).await;
        let schedule = app.api.get("schedules/orphan").await.of(200).body;
        assert!(
            schedule["last_error"]
                .as_str()
                .unwrap()
                .contains("no workflow"),
            "{schedule}"
        );
        app.api
            .post("schedules/orphan/run", json!(null))
            .await
            .problem(409);
        quick(app).await;
        let before = fired(app, "fired").await;
        until_fired(app, "fired", before + 1).await;
        app.api.delete("schedules/orphan").await.of(204);
    })
    .await;
}

#[tokio::test]
async fn daylight_saving_is_heeded_and_many_hands_make_one_run() {
    let mut app = App::separate(0, &[]).await;
    quick(&app).await;
    let stores: Vec<_> = (0..4)
        .map(|_| Store::open(StoreOptions::new(app.database.url.clone())).unwrap())
        .collect();
    // The last Sundays of March and October 2035: the clock of Berlin changes at 01:00 UTC.
    for (name, cron, moments) in [
        (
            "gap",
            "30 2 * * *",
            [
                ("2035-03-25T00:59:59Z", 0),
                ("2035-03-25T01:00:01Z", 1),
                ("2035-03-25T01:30:01Z", 1),
            ],
        ),
        (
            "twice",
            "30 2 * * *",
            [
                ("2035-10-28T00:29:59Z", 0),
                ("2035-10-28T00:30:01Z", 1),
                ("2035-10-28T01:30:01Z", 1),
            ],
        ),
        (
            "hourly",
            "30 * * * *",
            [
                ("2035-10-28T00:29:59Z", 0),
                ("2035-10-28T00:30:01Z", 1),
                ("2035-10-28T01:30:01Z", 2),
            ],
        ),
    ] {
        let body = json!({"name": name, "workflow": "quick", "cron": cron, "time_zone": "Europe/Berlin", "catch_up": 0});
        let id = app.api.post("schedules", body).await.of(201).text("/id");
        for (now, runs) in moments {
            let now = now.parse().unwrap();
            let fires = stores.iter().map(|store| store.fire_due(now));
            for fired in futures::future::join_all(fires).await {
                fired.unwrap();
            }
            let made =
                format!("select count(*) from stepwell.run where triggered_by = 'schedule:{id}'");
            assert_eq!(app.database.number(&made).await, runs, "{name} at {now}");
        }
        app.api.delete(&format!("schedules/{name}")).await.of(204);
    }
    for store in stores {
        store.close().await;
    }
    app.worker();
    until("every run ends", PATIENCE, async || {
        (app.database
            .number("select count(*) from stepwell.job")
            .await
            == 0)
            .then_some(())
    })
    .await;
    app.finish().await;
}
