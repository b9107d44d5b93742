//! The log of a run: filters, pages, bounds.

use serde_json::{Value, json};
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::worker::{Level, Runtime, TaskCall};
use tokio_util::sync::CancellationToken;

use crate::harness::{App, PATIENCE, until};

#[tokio::test]
async fn task_functions_write_a_bounded_log() {
    let app = App::separate(0, &[]).await;
    let store = Store::open(StoreOptions::new(app.database.url.clone())).unwrap();
    let runtime = Runtime::builder(store)
        .task("talks", |call: TaskCall| async move {
            let lines = call.input["lines"].as_u64().unwrap_or(0);
            for n in 0..lines {
                let level = if n % 2 == 0 {
                    Level::Info
                } else {
                    Level::Error
                };
                call.log(level, format!("line {n}"));
            }
            Ok(Value::Null)
        })
        .build()
        .unwrap();
    let stop = CancellationToken::new();
    let worker = tokio::spawn(runtime.run(stop.clone()));
    let talk = |name: &str, lines: usize| json!({"name": name, "type": "task", "config": {"task": "talks", "input": {"lines": lines}}});
    app.api
        .workflow("w", json!([talk("quiet", 3), talk("loud", 1_100)]))
        .await;
    let run = app.api.execute("w", json!({})).await;
    let id = run["id"].as_str().unwrap();
    let count = format!("select count(*) from stepwell.log where run_id = '{id}'");
    until("the log is written", PATIENCE, async || {
        (app.database.number(&count).await == 1_003).then_some(())
    })
    .await;
    let log = |query: &str| format!("/api/v1/runs/{id}/logs{query}");
    let all = app.api.get(&log("?step=quiet")).await.of(200);
    let messages: Vec<_> = all.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["message"].clone())
        .collect();
    assert_eq!(messages, ["line 0", "line 1", "line 2"]);
    let errors = app.api.get(&log("?step=quiet&level=warn")).await.of(200);
    assert_eq!(errors.body["items"].as_array().unwrap().len(), 1);
    let (mut read, mut query) = (Vec::new(), "?step=loud&limit=200".to_owned());
    loop {
        let page = app.api.get(&log(&query)).await.of(200);
        read.extend(page.body["items"].as_array().unwrap().clone());
        match page.body["next_cursor"].as_str() {
            Some(cursor) => query = format!("?step=loud&limit=200&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(read.len(), 1_000);
    assert_eq!(read[998]["message"], "line 998");
    let last = read[999]["message"].as_str().unwrap();
    assert!(last.contains("full") && last.contains("1000"), "{last}");
    app.api.get(&log("?level=loud")).await.problem(400);
    let unknown = "/api/v1/runs/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41/logs";
    app.api.get(unknown).await.problem(404);
    stop.cancel();
    worker.await.unwrap().unwrap();
    app.finish().await;
}
