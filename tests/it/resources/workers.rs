//! Workers: who works, and how one is let go.

use serde_json::json;

use crate::harness::{Agent, App, PATIENCE, Reply, process, until};

#[tokio::test]
async fn a_drained_worker_finishes_and_leaves_and_another_goes_on() {
    let mut app = App::separate(1, &[]).await;
    let first = until("the worker is there", PATIENCE, async || {
        let list = app.api.get("workers?count=true").await.of(200).body;
        // It may come between the page and its count.
        let first = &list["items"][0];
        (list["total"] == 1 && first.is_object()).then(|| first.clone())
    })
    .await;
    assert_eq!(
        (&first["status"], &first["queues"], &first["name"]),
        (&json!("alive"), &json!(["default"]), &json!("worker1"))
    );
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    let call = |name: &str| json!({"name": name, "type": "agent", "config": {"agent": "slow", "input": {}}});
    app.api
        .workflow("w", json!([call("one"), call("two")]))
        .await;
    let run = app.api.start("w", json!({})).await;
    agent.called("/slow", 1).await;
    let path = format!("workers/{}", first["id"].as_str().unwrap());
    let drained = app
        .api
        .post(&format!("{path}/drain"), json!({}))
        .await
        .of(202)
        .body;
    assert_eq!(drained["status"], "draining");
    app.processes[1].said("asked to drain").await;
    assert!(app.processes[1].ended().is_none(), "its call is in flight");
    agent.release("/slow");
    // The process ends well, when its call has ended, and its run waits for somebody else.
    let status = app.processes[1].exit().await;
    assert_eq!(
        status.code(),
        Some(process::EXIT_OK),
        "{}",
        app.processes[1].log()
    );
    assert_eq!(app.api.get(&path).await.of(200).body["status"], "gone");
    assert_eq!(app.api.step(&run, "one").await["status"], "completed");
    assert_eq!(agent.calls("/slow").len(), 1, "nothing new was begun");
    app.api
        .post(&format!("{path}/drain"), json!({}))
        .await
        .problem(409);
    assert!(
        app.api.get("workers").await.of(200).body["items"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let gone = app
        .api
        .get("workers?status=gone&queue=default")
        .await
        .of(200)
        .body;
    assert_eq!(gone["items"][0]["id"], first["id"]);
    app.worker();
    assert_eq!(app.api.finished(&run).await["status"], "completed");
    assert_eq!(agent.calls("/slow").len(), 2, "no attempt was repeated");
    let log = app.api.get("audit?entity_type=worker").await.of(200).body;
    assert_eq!(log["items"][0]["action"], "worker.drain_requested");
    app.api
        .get("workers/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41")
        .await
        .problem(404);
    app.api.get("workers?status=lost").await.problem(400);
    app.finish().await;
}
