//! Records: taken in, processed once, counted.

use serde_json::{Value, json};

use crate::harness::app::QUICK_DEATHS;
use crate::harness::{Agent, App, PATIENCE, Reply, until, with_app};

async fn record(app: &App, category: &str, payload: Value) -> Value {
    let body = json!({"source": "crm", "category": category, "payload": payload});
    app.api.post("records", body).await.of(201).body
}

async fn reaches(app: &App, id: &Value, status: &str) -> Value {
    let path = format!("records/{}", id.as_str().unwrap());
    until(&format!("record {id} is {status}"), PATIENCE, async || {
        let record = app.api.get(&path).await.of(200).body;
        (record["status"] == status).then_some(record)
    })
    .await
}

fn double() -> Value {
    json!([{"name": "t", "type": "transform", "config": {"value": "${input.n * 2}"}}])
}

#[tokio::test]
async fn a_record_is_processed_once_however_many_ask() {
    with_app(async |app| {
        app.api.workflow("w", double()).await;
        let record = record(app, "order", json!({"n": 4})).await;
        assert_eq!(
            (&record["status"], &record["run_id"]),
            (&json!("pending"), &Value::Null)
        );
        let path = format!("records/{}/process", record["id"].as_str().unwrap());
        app.api.post(&path, json!({})).await.problem(409);
        app.api
            .post(
                "record-routes",
                json!({"category": "order", "workflow": "w"}),
            )
            .await
            .of(201);
        let asked: Vec<_> = (0..12).map(|_| app.api.post(&path, json!({}))).collect();
        let mut runs: Vec<_> = futures::future::join_all(asked)
            .await
            .into_iter()
            .map(|answer| answer.of(202).text("/run_id"))
            .collect();
        runs.sort();
        runs.dedup();
        assert_eq!(runs.len(), 1);
        assert_eq!(
            app.database
                .number("select count(*) from stepwell.run")
                .await,
            1
        );
        let done = reaches(app, &record["id"], "processed").await;
        assert_eq!(done["run_id"], runs[0]);
        assert_eq!(app.api.run(&runs[0]).await["output"], 8);
        let later = app.api.post(&path, json!({})).await.of(202).body;
        assert_eq!(
            (&later["run_id"], &later["status"]),
            (&json!(runs[0]), &json!("processed"))
        );
        let log = app
            .api
            .get(&format!(
                "audit?entity_id={}",
                record["id"].as_str().unwrap()
            ))
            .await
            .of(200)
            .body;
        let told: Vec<_> = log["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| format!("{} {}", r["sequence"], r["action"].as_str().unwrap()))
            .collect();
        assert_eq!(
            told,
            [
                "3 record.processed",
                "2 record.processing",
                "1 record.created"
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_record_follows_its_run_through_failure_and_retry() {
    with_app(async |app| {
        app.api.workflow("w", json!([{"name": "s", "type": "wait", "config": {"signal": "go", "timeout_ms": 200}}])).await;
        let route = json!({"category": "order", "source": "crm", "workflow": "w", "auto": true});
        app.api.post("record-routes", route).await.of(201);
        let record = record(app, "order", json!({})).await;
        assert_eq!(record["status"], "processing");
        let run = record["run_id"].as_str().unwrap();
        reaches(app, &record["id"], "failed").await;
        app.api.post(&format!("runs/{run}/retry"), json!({})).await.of(202);
        let again = reaches(app, &record["id"], "processing").await;
        assert_eq!(again["run_id"], run);
        reaches(app, &record["id"], "failed").await;
        app.api.finished(run).await;
    })
    .await;
}

#[tokio::test]
async fn a_record_is_right_after_its_worker_was_killed() {
    let mut app = App::separate(1, QUICK_DEATHS).await;
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    app.api
        .workflow(
            "w",
            json!([{"name": "a", "type": "agent", "config": {"agent": "slow", "input": {}}}]),
        )
        .await;
    app.api
        .post(
            "record-routes",
            json!({"category": "order", "workflow": "w", "auto": true}),
        )
        .await
        .of(201);
    let record = record(&app, "order", json!({})).await;
    agent.called("/slow", 1).await;
    app.processes[1].kill().await;
    app.worker();
    agent.called("/slow", 2).await;
    assert_eq!(
        reaches(&app, &record["id"], "processing").await["run_id"],
        record["run_id"]
    );
    agent.release("/slow");
    reaches(&app, &record["id"], "processed").await;
    let run = record["run_id"].as_str().unwrap();
    assert_eq!(app.api.run(run).await["status"], "completed");
    app.finish().await;
}

#[tokio::test]
async fn records_are_filtered_sorted_counted_and_guarded() {
    with_app(async |app| {
        app.api
            .workflow_with("strict", double(), json!({"input_schema": {"type": "object", "required": ["n"]}}))
            .await;
        let bound = app.api.post("record-routes", json!({"category": "b", "workflow": "strict", "auto": true})).await.of(201);
        for (category, n) in [("a", 1), ("c", 2), ("b", 3), ("a", 4)] {
            record(app, category, json!({"n": n})).await;
        }
        // What the workflow does not take stays, and processing it says why.
        let odd = record(app, "b", json!({})).await;
        assert_eq!(odd["status"], "pending");
        let refused = app.api.post(&format!("records/{}/process", odd["id"].as_str().unwrap()), json!({})).await;
        assert_eq!(refused.problem(422).pointers(), ["/payload"]);
        until("the good one is processed", PATIENCE, async || {
            let list = app.api.get("records?status=processed").await.of(200).body;
            (list["items"].as_array().unwrap().len() == 1).then_some(())
        })
        .await;
        let categories = async |query: &str| {
            let list = app.api.get(&format!("records?{query}")).await.of(200).body;
            let items = list["items"].as_array().unwrap().clone();
            items.iter().map(|r| r["category"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(categories("").await, ["b", "a", "b", "c", "a"]);
        assert_eq!(categories("sort_by=category&sort_order=asc").await, ["a", "a", "b", "b", "c"]);
        assert_eq!(categories("sort_by=status").await[0], "b");
        assert_eq!(categories("category=a&source=crm").await, ["a", "a"]);
        assert_eq!(categories("status=pending&status=processed&offset=4").await, ["a"]);
        assert!(categories("created_before=2020-01-01T00:00:00Z").await.is_empty());
        for sort in ["created_at", "status", "category", "source"] {
            for order in ["asc", "desc"] {
                let whole = categories(&format!("sort_by={sort}&sort_order={order}")).await;
                let mut paged = Vec::new();
                let mut cursor = format!("sort_by={sort}&sort_order={order}");
                loop {
                    let page = app.api.get(&format!("records?limit=2&{cursor}")).await.of(200).body;
                    paged.extend(page["items"].as_array().unwrap().iter().map(|r| r["category"].as_str().unwrap().to_owned()));
                    match page["next_cursor"].as_str() {
                        Some(next) => cursor = format!("cursor={next}"),
                        None => break,
                    }
                }
                assert_eq!(paged, whole, "{sort} {order}");
            }
        }
        let summary = app.api.get("reports/summary").await.of(200).body;
        assert_eq!(
            summary,
            json!({"total": 5, "by_status": {"pending": 4, "processing": 0, "processed": 1, "failed": 0},
                "by_category": {"a": 2, "b": 2, "c": 1}, "other_categories": 0})
        );
        let some = app.api.get("reports/summary?category=b&status=pending&date_from=2020-01-01").await.of(200).body;
        assert_eq!((&some["total"], &some["by_category"]), (&json!(1), &json!({"b": 1})));
        assert_eq!(app.api.get("reports/summary?date_to=2020-01-01").await.of(200).body["total"], 0);
        app.api.get("reports/summary?date_to=soon").await.problem(400);

        let body = json!({"source": "crm", "category": "a", "payload": 1});
        let first = app.api.post_with("records", &[("idempotency-key", "r1")], body.clone()).await.of(201);
        let again = app.api.post_with("records", &[("idempotency-key", "r1")], body).await.of(201);
        assert_eq!((first.body, again.header("idempotency-replayed")), (again.body.clone(), "true".into()));
        app.api.post("records", json!({"source": " ", "category": "", "payload": 1})).await.problem(422).finds("/source", "1 to 128");
        app.api.post("records", json!({"source": "a", "category": "a"})).await.problem(400);
        app.api.post("record-routes", json!({"category": "b", "workflow": "strict"})).await.problem(409);
        app.api.post("record-routes", json!({"category": "x", "workflow": "nobody"})).await.problem(404);
        let location = bound.header("location");
        assert_eq!(app.api.get(&location).await.of(200).body, bound.body);
        assert_eq!(app.api.get("record-routes").await.of(200).body["items"], json!([bound.body]));
        app.api.delete(&location).await.of(204);
        app.api.delete(&location).await.problem(404);
        app.api.get("records/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41").await.problem(404);
    })
    .await;
}
