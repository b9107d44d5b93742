//! Schedules as a resource: kept, changed, paused, resumed, deleted; every broken rule is told.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, with_app};

fn nightly() -> Value {
    json!({
        "name": "nightly", "workflow": "report", "input": {"scope": "all", "n": 1.5},
        "cron": "30 2 * * *", "time_zone": "Europe/Berlin", "overlap": "skip", "catch_up": 3,
        "labels": {"team": "finance"}, "queue": "default", "priority": 5, "status": "active",
    })
}

async fn report(app: &App) {
    let steps = json!([{"name": "s", "type": "transform", "config": {"value": "${input.scope}"}}]);
    let schema = json!({"input_schema": {"type": "object", "required": ["scope"]}});
    app.api.workflow_with("report", steps, schema).await;
}

#[tokio::test]
async fn a_schedule_is_made_read_changed_paused_and_deleted() {
    with_app(async |app| {
        report(app).await;
        let made = app.api.post("schedules", nightly()).await.of(201);
        let id = made.text("/id");
        assert_eq!(made.header("location"), format!("/api/v1/schedules/{id}"));
        for (field, value) in nightly().as_object().unwrap() {
            assert_eq!(&made.body[field], value, "{field}");
        }
        let next = made.text("/next_at");
        assert!(next.ends_with(":30:00.000Z"), "{next}");

        // By id and by name.
        for path in [format!("schedules/{id}"), "schedules/nightly".to_owned()] {
            let read = app.api.get(&path).await.of(200);
            assert_eq!((&read.body, read.header("etag")), (&made.body, made.header("etag")));
        }
        let listed = app.api.get("schedules?workflow=report&status=active&count=true").await.of(200).body;
        assert_eq!((&listed["items"][0], &listed["total"]), (&made.body, &json!(1)));
        assert_eq!(app.api.get("schedules?status=paused").await.of(200).body["items"], json!([]));

        let mut body = nightly();
        body["cron"] = json!("0 0 1 1 *");
        body["time_zone"] = json!("UTC");
        let put = |tag: &str| {
            let request = app.api.request(Method::PUT, "schedules/nightly");
            request.header("if-match", tag).json(&body)
        };
        app.api.send(put("\"7\"")).await.problem(412);
        let changed = app.api.send(put(&made.header("etag"))).await.of(200);
        assert_eq!(changed.header("etag"), format!("\"{id}.2\""));
        assert!(changed.text("/next_at").ends_with("-01-01T00:00:00.000Z"));
        // A body that changes nothing leaves it as it is.
        assert_eq!(app.api.send(put("*")).await.of(200).header("etag"), changed.header("etag"));

        let paused = app.api.post("schedules/nightly/pause", json!(null)).await.of(200);
        assert_eq!((&paused.body["status"], &paused.body["next_at"]), (&json!("paused"), &Value::Null));
        let resumed = app.api.post("schedules/nightly/resume", json!(null)).await.of(200);
        assert_eq!(resumed.body["next_at"], changed.body["next_at"]);

        let run = app.api.post("schedules/nightly/run", json!(null)).await.of(202);
        assert_eq!(app.api.finished(&run.text("/id")).await["status"], "completed");
        let after = app.api.get("schedules/nightly").await.of(200).body;
        assert_eq!((&after["last_run_id"], &after["next_at"]), (&run.body["id"], &changed.body["next_at"]));

        app.api.delete("schedules/nightly").await.of(204);
        app.api.get("schedules/nightly").await.problem(404);
        let trail = format!("select string_agg(action, ' ' order by sequence) from stepwell.audit where entity_id = '{id}'");
        assert_eq!(
            app.database.text(&trail).await.unwrap(),
            "schedule.created schedule.updated schedule.paused schedule.resumed schedule.run_now schedule.deleted"
        );
    })
    .await;
}

#[tokio::test]
async fn every_broken_rule_of_a_schedule_is_listed() {
    with_app(async |app| {
        report(app).await;
        let body = json!({
            "name": " x", "workflow": "nobody", "cron": "61 * * * *", "time_zone": "Berlin",
            "overlap": "both", "catch_up": 101, "labels": {"a b": "c"}, "queue": "-", "priority": 101,
            "status": "on",
        });
        let answer = app.api.post("schedules", body).await.problem(422);
        let fields = ["catch_up", "cron", "labels/a b", "name", "overlap", "priority", "queue", "status", "time_zone", "workflow"];
        assert_eq!(answer.pointers(), fields.map(|field| format!("/{field}")));

        let with = |field: &str, value: Value| {
            let mut body = nightly();
            body[field] = value;
            app.api.post("schedules", body)
        };
        with("cron", json!("0 0 30 2 *")).await.problem(422).finds("/cron", "never comes");
        with("version", json!(2)).await.problem(422).finds("/version", "no such version");
        with("input", json!({})).await.problem(422).finds("/input", "scope");
        with("colour", json!("red")).await.problem(400);
        with("name", json!("one")).await.of(201);
        let taken = with("name", json!("one")).await.problem(409);
        taken.finds("/name", "another schedule");
        assert_eq!(app.database.number("select count(*) from stepwell.schedule").await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_request_makes_one_schedule_and_one_run() {
    with_app(async |app| {
        report(app).await;
        let key = [("idempotency-key", "k1")];
        let first = app
            .api
            .post_with("schedules", &key, nightly())
            .await
            .of(201);
        let again = app
            .api
            .post_with("schedules", &key, nightly())
            .await
            .of(201);
        assert_eq!(
            (&first.body, again.header("idempotency-replayed")),
            (&again.body, "true".to_owned())
        );
        let path = "schedules/nightly/run";
        let first = app.api.post_with(path, &key, json!(null)).await.of(202);
        let again = app.api.post_with(path, &key, json!(null)).await.of(202);
        assert_eq!(first.body["id"], again.body["id"]);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            1
        );
        app.api.finished(&first.text("/id")).await;
    })
    .await;
}
