//! Queues: how they stand, paused, limited.

use serde_json::{Value, json};

use crate::harness::{Agent, App, PATIENCE, Reply, until, with_app};

fn transform() -> Value {
    json!([{"name": "t", "type": "transform", "config": {"value": 1}}])
}

#[tokio::test]
async fn a_paused_queue_is_left_alone_until_it_is_resumed() {
    with_app(async |app| {
        app.api.workflow("w", transform()).await;
        app.api.execute("w", json!({})).await;
        let paused = app
            .api
            .post("queues/default/pause", json!({}))
            .await
            .of(200);
        assert_eq!(
            (&paused.body["status"], &paused.body["paused_by"]),
            (&json!("paused"), &json!("anonymous"))
        );
        // Whoever asks twice changes nothing.
        app.api
            .post("queues/default/pause", json!({}))
            .await
            .of(200);
        // The worker heard of it before it could hear of this run; a claim in flight ends first.
        until("a run stays where it is", PATIENCE, async || {
            let run = app.api.start("w", json!({})).await;
            let queue = app.api.get("queues/default").await.of(200).body;
            (app.api.run(&run).await["status"] == "pending" && queue["depth"] == 1).then_some(())
        })
        .await;
        let waiting = app.api.get("runs?status=pending").await.of(200).body;
        let id = waiting["items"][0]["id"].as_str().unwrap().to_owned();
        let queue = app.api.get("queues/default").await.of(200).body;
        assert!(queue["oldest_due"].is_string(), "{queue}");
        assert_eq!(queue["workers"], 1);
        let resumed = app
            .api
            .post("queues/default/resume", json!({}))
            .await
            .of(200)
            .body;
        assert_eq!(
            (&resumed["status"], &resumed["paused_at"]),
            (&json!("active"), &Value::Null)
        );
        app.api.finished(&id).await;
        let log = app.api.get("audit?entity_type=queue").await.of(200).body;
        let actions: Vec<_> = log["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|r| (r["action"].clone(), r["after"]["name"].clone()))
            .collect();
        assert_eq!(
            actions,
            [
                (json!("queue.resumed"), json!("default")),
                (json!("queue.paused"), json!("default"))
            ]
        );
    })
    .await;
}

#[tokio::test]
async fn a_limit_holds_over_all_workers() {
    const LIMIT: usize = 3;
    const RUNS: usize = 12;
    let app = App::separate(2, &[]).await;
    app.api
        .put("queues/default", json!({"max_running": LIMIT}))
        .await
        .of(200);
    // Each run holds its place until its agent is let go.
    let agent = Agent::start().await;
    agent.on("/slow", |_| Reply::held());
    app.api.agent("slow", &agent.url("/slow")).await;
    let step = json!({"name": "a", "type": "agent", "config": {"agent": "slow", "input": {}}});
    app.api.workflow("w", json!([step])).await;
    let runs: Vec<_> = (0..RUNS).map(|_| json!({"workflow": "w"})).collect();
    app.api
        .post("runs/batch", json!({"runs": runs}))
        .await
        .of(202);
    for done in 0..RUNS {
        agent.release_first("/slow", done);
        agent.called("/slow", RUNS.min(done + LIMIT)).await;
        let calls = agent.calls("/slow").len();
        assert!(calls <= done + LIMIT, "{calls} calls when {done} had ended");
        let leased = app
            .database
            .number("select count(*) from stepwell.job where state = 'leased'")
            .await;
        assert!(
            usize::try_from(leased).unwrap() <= LIMIT,
            "{leased} at once"
        );
    }
    // Without the limit the rest goes at once.
    let free = app
        .api
        .put("queues/default", json!({"max_running": null}))
        .await
        .of(200)
        .body;
    assert_eq!(free["max_running"], Value::Null);
    agent.release("/slow");
    until("all runs end", PATIENCE, async || {
        let left = app
            .database
            .number("select count(*) from stepwell.job")
            .await;
        (left == 0).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test]
async fn queues_are_listed_and_bad_words_refused() {
    with_app(async |app| {
        app.api.workflow("w", transform()).await;
        for queue in ["a", "b"] {
            app.api.start_with("w", json!({"queue": queue})).await;
        }
        app.api
            .put("queues/z", json!({"max_running": 5}))
            .await
            .of(200);
        let list = app
            .api
            .get("queues?sort_order=asc&count=true")
            .await
            .of(200)
            .body;
        let names: Vec<_> = list["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|q| q["name"].as_str().unwrap())
            .collect();
        assert_eq!(
            (names, &list["total"]),
            (vec!["a", "b", "default", "z"], &json!(4))
        );
        let page = app
            .api
            .get("queues?sort_order=asc&limit=2")
            .await
            .of(200)
            .body;
        let rest = app
            .api
            .get(&format!(
                "queues?cursor={}",
                page["next_cursor"].as_str().unwrap()
            ))
            .await
            .of(200)
            .body;
        assert_eq!(rest["items"][0]["name"], "default");
        assert_eq!(app.api.get("queues/a").await.of(200).body["depth"], 1);
        app.api.get("queues/nobody").await.problem(404);
        app.api
            .post("queues/a%20b/pause", json!({}))
            .await
            .problem(404);
        for most in [json!(0), json!(-1), json!(1_000_001)] {
            app.api
                .put("queues/a", json!({"max_running": most}))
                .await
                .problem(422)
                .finds("/max_running", "1 to");
        }
        app.api.put("queues/a", json!({})).await.problem(400);
        app.api
            .put("queues/a", json!({"max_running": "x"}))
            .await
            .problem(400);
        app.api
            .post("runs/cancel", json!({"filter": {"status": ["pending"]}}))
            .await
            .of(200);
    })
    .await;
}
