//! Who only triggers: a workflow by its name and a payload. Several workers do the work, and whoever
//! subscribed hears of each end, signed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::events_out::receiver::{delivery, event, is_signed, told_of};
use crate::harness::{Agent, App, Call, Reply};

const WORKERS: usize = 3;
/// Runs that one worker has at once.
const SLOTS: usize = 2;
/// More than all workers have at once.
const RUNS: usize = 9;

#[tokio::test]
async fn what_is_triggered_is_done_by_several_workers_and_told() {
    let slots = SLOTS.to_string();
    let app = App::separate(WORKERS, &[("STEPWELL_WORKER_CONCURRENCY", &slots)]).await;
    let shop = Agent::start().await;
    creates_the_workflow(&app, &shop).await;
    let (subscription, secret) = subscribes(&app, &shop).await;
    let runs = triggers(&app).await;
    every_worker_has_its_hands_full(&shop).await;
    shop.release("/charge");
    all_is_done_by_all_workers(&app, &shop, &runs).await;
    hears_of_each_end_and_verifies_it(&shop, &secret, &runs).await;
    let last = delivery(&app, &subscription, "delivered").await;
    assert_eq!(last["response_status"], 200, "{last}");
    what_cannot_be_triggered_starts_nothing(&app).await;
    app.finish().await;
}

async fn creates_the_workflow(app: &App, shop: &Agent) {
    shop.on("/charge", |call| {
        let receipt = json!({"paid": call.body["input"]["amount"]});
        Reply::Held(Box::new(Reply::Json(200, receipt)))
    });
    app.api.agent("charge", &shop.url("/charge")).await;
    let definition = json!({
        "id": "checkout", "name": "Checkout",
        "input_schema": {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "integer"}}},
        "steps": [
            {"name": "charge", "type": "agent", "config": {"agent": "charge", "input": {"amount": "${input.amount}"}}},
            {"name": "receipt", "type": "transform", "config": {"value": {"paid": "${steps.charge.output.paid}", "by": "${run.id}"}}},
        ],
    });
    app.api.post("workflows", definition).await.of(201);
}

/// The secret is made by the server, and told this once.
async fn subscribes(app: &App, shop: &Agent) -> (String, String) {
    let body = json!({"url": shop.url("/told"), "event_types": ["stepwell.run.completed"], "workflow": "checkout"});
    let made = app.api.post("subscriptions", body).await.of(201);
    (made.text("/id"), made.text("/secret"))
}

async fn triggers(app: &App) -> Vec<String> {
    let mut runs = Vec::new();
    for amount in 0..RUNS {
        let body = json!({"workflow_id": "checkout", "payload": {"amount": amount}});
        let key = format!("cart-{amount}");
        let headers = [("idempotency-key", key.as_str())];
        let answer = app
            .api
            .post_with("trigger", &headers, body.clone())
            .await
            .of(202);
        assert_eq!(
            answer.body,
            json!({"run_id": answer.text("/run_id"), "status": "triggered"})
        );
        // A nervous finger.
        let again = app.api.post_with("trigger", &headers, body).await.of(202);
        assert_eq!(
            (&again.body, again.header("idempotency-replayed")),
            (&answer.body, "true".into())
        );
        runs.push(answer.text("/run_id"));
    }
    runs
}

/// So many at once are in flight only if each worker has its share, and no worker takes more.
async fn every_worker_has_its_hands_full(shop: &Agent) {
    shop.called("/charge", WORKERS * SLOTS).await;
    assert_eq!(shop.calls("/charge").len(), WORKERS * SLOTS);
}

async fn all_is_done_by_all_workers(app: &App, shop: &Agent, runs: &[String]) {
    let mut workers = BTreeSet::new();
    for (amount, id) in runs.iter().enumerate() {
        let run = app.api.finished(id).await;
        assert_eq!(run["status"], "completed", "{run}");
        assert_eq!(run["output"], json!({"paid": amount, "by": id}));
        let step = app.api.step(id, "charge").await;
        workers.insert(step["worker"].as_str().unwrap().to_owned());
    }
    assert_eq!(workers.len(), WORKERS);
    assert_eq!(shop.calls("/charge").len(), RUNS, "each once");
    let listed = app
        .api
        .get("workers?status=alive&count=true")
        .await
        .of(200)
        .body;
    assert_eq!(listed["total"], WORKERS, "{listed}");
}

async fn hears_of_each_end_and_verifies_it(shop: &Agent, secret: &str, runs: &[String]) {
    let calls = told_of(shop, "/told", runs).await;
    let ids: BTreeSet<_> = calls.iter().map(|call| call.header("webhook-id")).collect();
    assert_eq!((calls.len(), ids.len()), (RUNS, RUNS), "each once");
    for call in &calls {
        let told = event(call, secret);
        assert_eq!(told["type"], "stepwell.run.completed");
        let data = &told["data"];
        assert_eq!(
            (&data["workflow"], &data["status"]),
            (&json!("checkout"), &json!("completed"))
        );
        let amount = runs.iter().position(|run| told["subject"] == run.as_str());
        assert_eq!(data["output"]["paid"], json!(amount), "{told}");
    }
    not_what_was_altered_on_the_way(&calls[0], secret);
}

fn not_what_was_altered_on_the_way(call: &Call, secret: &str) {
    let mut cheaper = call.clone();
    let text = String::from_utf8(cheaper.raw).unwrap();
    cheaper.raw = text.replace("completed", "cancelled").into_bytes();
    let mut renamed = call.clone();
    renamed
        .headers
        .insert("webhook-id".into(), "another".into());
    let mut kept_back = call.clone();
    kept_back
        .headers
        .insert("webhook-timestamp".into(), "1700000000".into());
    for forged in [cheaper, renamed, kept_back] {
        assert!(!is_signed(&forged, secret), "{forged:?}");
    }
    assert!(!is_signed(call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
}

async fn what_cannot_be_triggered_starts_nothing(app: &App) {
    let trigger = async |body: Value| app.api.post("trigger", body).await;
    let nobody = json!({"workflow_id": "nobody", "payload": {}});
    trigger(nobody).await.problem(404);
    let odd = json!({"workflow_id": "checkout", "payload": {"amount": "much"}});
    assert_eq!(
        trigger(odd).await.problem(422).pointers(),
        ["/payload/amount"]
    );
    let misspelt = json!({"workflow_id": "checkout", "payloda": {}});
    trigger(misspelt).await.problem(400);
    let runs = app.api.get("runs?count=true").await.of(200).body;
    assert_eq!(runs["total"], RUNS);
}
