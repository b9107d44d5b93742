//! Events reach subscribers: signed, retried, once more by hand; one that hangs delays nobody else.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::receiver::{SECRET, delivery, event, is_signed, quick, retrying, subscribe, told_of};
use crate::harness::{Agent, Reply, with_app};

#[tokio::test]
async fn a_subscriber_hears_of_a_runs_end_and_can_verify_it() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        quick(app, "other").await;
        let body = json!({
            "url": agent.url("/one"), "event_types": ["stepwell.run.completed"], "workflow": "quick", "secret": SECRET,
        });
        let id = app.api.post("subscriptions", body).await.of(201).text("/id");
        subscribe(app, &agent.url("/all"), json!(["stepwell.run.*", "stepwell.step.completed"])).await;
        app.api.execute("other", json!({"n": 1})).await;
        let started = json!({"input": {"n": 7}, "labels": {"team": "a"}});
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let run = app.api.post_with("workflows/quick/execute", &[("traceparent", trace)], started).await.of(202);
        let run = run.text("/id");
        let call = agent.called("/one", 1).await;
        let told = event(&call, SECRET);
        assert_eq!(told["type"], "stepwell.run.completed");
        assert_eq!((&told["subject"], &told["source"]), (&json!(run), &json!("/api/v1/workflows/quick")));
        let data = &told["data"];
        for (field, value) in [
            ("run_id", json!(run)), ("workflow", json!("quick")), ("version", json!(1)), ("generation", json!(1)),
            ("status", json!("completed")), ("output", json!({"n": 7})), ("error", Value::Null),
            ("labels", json!({"team": "a"})), ("output_omitted", json!(false)),
        ] {
            assert_eq!(data[field], value, "{field} in {data}");
        }
        assert!(call.header("traceparent").starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(!is_signed(&call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        let listed = delivery(app, &id, "delivered").await;
        assert_eq!((&listed["event_id"], &listed["attempts"]), (&told["id"], &json!(1)));
        assert_eq!((&listed["response_status"], &listed["error"]), (&json!(200), &Value::Null));

        // The other hears of all that happens to both runs, in their order, each once.
        let calls = told_of(&agent, "/all", &[run]).await;
        let ids: std::collections::HashSet<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
        assert_eq!(ids.len(), calls.len());
        assert_eq!(agent.calls("/one").len(), 1);
        let fields = app.database.number("select count(*) from stepwell.delivery where status = 'failed'").await;
        assert_eq!(fields, 0);
    })
    .await;
}

#[tokio::test]
async fn a_failed_delivery_is_tried_again_under_the_same_id() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        let busy = Reply::Raw(
            503,
            vec![("retry-after", "1".to_owned())],
            "busy".to_owned(),
        );
        agent.fails("/hook", 1, busy);
        let id = subscribe(app, &agent.url("/hook"), json!(["stepwell.run.completed"])).await;
        app.api.execute("quick", json!({"n": 1})).await;
        let begun = Instant::now();
        let first = event(&agent.called("/hook", 1).await, SECRET);
        let waiting = retrying(app, &id).await;
        assert_eq!(
            (&waiting["response_status"], &waiting["attempts"]),
            (&json!(503), &json!(1))
        );
        assert!(
            waiting["error"].as_str().unwrap().contains("503: busy"),
            "{waiting}"
        );
        let second = event(&agent.called("/hook", 2).await, SECRET);
        assert_eq!(first, second, "the same event, byte for byte");
        assert!(
            begun.elapsed() >= Duration::from_secs(4),
            "not before its time"
        );
        assert_eq!(delivery(app, &id, "delivered").await["attempts"], 2);
    })
    .await;
}

#[tokio::test]
async fn the_last_failure_is_recorded_and_sent_once_more_by_hand() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        agent.fails("/hook", 2, Reply::HangUp);
        let id = subscribe(app, &agent.url("/hook"), json!(["stepwell.run.completed"])).await;
        app.api.execute("quick", json!({"n": 1})).await;
        let first = event(&agent.called("/hook", 1).await, SECRET);
        retrying(app, &id).await;
        // As if a day had passed.
        app.database.run("update stepwell.delivery set next_at = now(), expires_at = now() where attempts = 1").await;
        agent.called("/hook", 2).await;
        let failed = delivery(app, &id, "failed").await;
        assert!(failed["finished_at"].is_string() && failed["next_attempt_at"].is_null(), "{failed}");
        let path = format!("subscriptions/{id}/deliveries");
        let once_more = format!("{path}/{}/redeliver", failed["id"].as_str().unwrap());
        let asked = app.api.post(&once_more, json!(null)).await.of(202);
        assert_eq!(asked.body["status"], "pending");
        let third = event(&agent.called("/hook", 3).await, SECRET);
        assert_eq!(third, first);
        delivery(app, &id, "delivered").await;
        // One that arrived is sent once more too.
        app.api.post(&once_more, json!(null)).await.of(202);
        assert_eq!(event(&agent.called("/hook", 4).await, SECRET)["id"], first["id"]);
        delivery(app, &id, "delivered").await;
        let nobody = format!("{path}/{id}/redeliver");
        app.api.post(&nobody, json!(null)).await.problem(404);
        assert_eq!(app.api.get(&format!("{path}?status=failed")).await.of(200).body["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_left_alone() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        agent.on("/hook", |_| Reply::Json(410, json!({})));
        let id = subscribe(app, &agent.url("/hook"), json!(["stepwell.run.completed"])).await;
        app.api.execute("quick", json!({"n": 1})).await;
        delivery(app, &id, "failed").await;
        let path = format!("subscriptions/{id}");
        let disabled = app.api.get(&path).await.of(200).body;
        assert_eq!(disabled["status"], "disabled");
        assert!(disabled["disabled_reason"].as_str().unwrap().contains("410"), "{disabled}");
        let audited = format!(
            "select count(*) from stepwell.audit where entity_id = '{id}' and action = 'subscription.disabled'
             and actor like 'delivery:%'"
        );
        assert_eq!(app.database.number(&audited).await, 1);
        // Another, that hears of the same, shows that this one is passed over.
        subscribe(app, &agent.url("/other"), json!(["stepwell.run.completed"])).await;
        app.api.execute("quick", json!({"n": 2})).await;
        agent.called("/other", 1).await;
        assert_eq!(agent.calls("/hook").len(), 1);

        agent.on("/hook", |_| Reply::ok());
        let body = json!({"url": agent.url("/hook"), "event_types": ["stepwell.run.completed"]});
        let active = app.api.put(&path, body).await.of(200).body;
        assert_eq!((&active["status"], &active["disabled_reason"]), (&json!("active"), &Value::Null));
        app.api.execute("quick", json!({"n": 3})).await;
        let told = event(&agent.called("/hook", 2).await, SECRET);
        assert_eq!(told["data"]["output"], json!({"n": 3}));
    })
    .await;
}

#[tokio::test]
async fn a_subscriber_that_hangs_delays_nobody_else() {
    with_app(async |app| {
        let agent = Agent::start().await;
        quick(app, "quick").await;
        agent.on("/hangs", |_| Reply::Never);
        subscribe(app, &agent.url("/hangs"), json!(["stepwell.run.*"])).await;
        subscribe(app, &agent.url("/quick"), json!(["stepwell.run.completed"])).await;
        let mut runs = Vec::new();
        for n in 0..30 {
            runs.push(app.api.start("quick", json!({"n": n})).await);
        }
        agent.called("/hangs", 8).await;
        let begun = Instant::now();
        runs.push(app.api.start("quick", json!({"n": 30})).await);
        let calls = told_of(&agent, "/quick", &runs).await;
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{:?}",
            begun.elapsed()
        );
        for call in &calls {
            event(call, SECRET);
        }
        assert_eq!(agent.calls("/hangs").len(), 8, "no more at once");
        // So that the end of the test need not wait for it.
        agent.on("/hangs", |_| Reply::ok());
    })
    .await;
}

#[tokio::test]
async fn a_test_event_and_another_secret() {
    with_app(async |app| {
        let agent = Agent::start().await;
        let id = subscribe(app, &agent.url("/hook"), json!(["nothing.of.this"])).await;
        let path = format!("subscriptions/{id}");
        let ping = format!("{path}/test");
        let sent = app.api.post(&ping, json!(null)).await.of(202);
        let told = event(&agent.called("/hook", 1).await, SECRET);
        assert_eq!(
            (&told["type"], &told["id"]),
            (&json!("stepwell.subscription.test"), &sent.body["event_id"])
        );
        assert_eq!(told["data"]["subscription_id"], id);

        // For a day both secrets will do, and then the new one alone.
        let rotated = app
            .api
            .post(&format!("{path}/secret"), json!(null))
            .await
            .of(200);
        let new = rotated.text("/secret");
        assert!(
            rotated.body["old_secret_until"].is_string(),
            "{}",
            rotated.raw
        );
        app.api.post(&ping, json!(null)).await.of(202);
        let both = agent.called("/hook", 2).await;
        assert!(is_signed(&both, &new) && is_signed(&both, SECRET));
        app.database
            .run("update stepwell.subscription set old_secret_until = now()")
            .await;
        app.api.post(&ping, json!(null)).await.of(202);
        let one = agent.called("/hook", 3).await;
        assert!(is_signed(&one, &new) && !is_signed(&one, SECRET));
    })
    .await;
}

#[tokio::test]
async fn a_private_address_is_refused_where_the_worker_refuses_it() {
    let mut app =
        crate::harness::App::separate(0, &[("STEPWELL_WORKER_ALLOW_PRIVATE", "false")]).await;
    app.worker();
    let agent = Agent::start().await;
    let id = subscribe(&app, &agent.url("/hook"), json!(["*"])).await;
    app.api
        .post(&format!("subscriptions/{id}/test"), json!(null))
        .await
        .of(202);
    let refused = retrying(&app, &id).await;
    assert!(
        refused["error"]
            .as_str()
            .unwrap()
            .contains("not a public address"),
        "{refused}"
    );
    assert!(agent.all().is_empty());
    app.finish().await;
}
