//! The steps of a workflow, one by one: each change is a version of the whole.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{App, with_app};

fn step(name: &str) -> Value {
    json!({"name": name, "type": "transform", "config": {"value": name}})
}

async fn names(app: &App) -> Vec<String> {
    let page = app.api.get("workflows/w/tasks").await.of(200).body;
    let items = page["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|task| task["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn tasks_are_added_read_moved_and_taken_away() {
    with_app(async |app| {
        let id = app
            .api
            .workflow("w", json!([step("a"), {"name": "b", "type": "transform", "needs": ["a"], "config": {"value": "${steps.a.output}"}}]))
            .await;
        let path = format!("workflows/{id}/tasks");
        let added = app.api.post("workflows/w/tasks", step("c")).await.of(201);
        assert_eq!(added.header("location"), format!("/api/v1/{path}/c"));
        assert_eq!((added.header("etag"), &added.body["position"]), (format!("\"{id}.2\""), &json!(2)));
        let mut first = step("d");
        first["position"] = json!(0);
        app.api.post("workflows/w/tasks", first).await.of(201);
        assert_eq!(names(app).await, ["d", "a", "b", "c"]);
        let one = app.api.get("workflows/w/tasks/b").await.of(200);
        assert_eq!((&one.body["needs"], one.header("etag")), (&json!(["a"]), format!("\"{id}.3\"")));

        // What was read can be sent back, changed: it moves to the end.
        let mut moved = app.api.get("workflows/w/tasks/d").await.of(200).body;
        moved["position"] = json!(3);
        moved["config"]["value"] = json!(7);
        let put = app.api.put("workflows/w/tasks/d", moved.clone()).await.of(200);
        assert_eq!(put.body, moved);
        assert_eq!(names(app).await, ["a", "b", "c", "d"]);
        app.api.delete("workflows/w/tasks/c").await.of(204);
        assert_eq!(names(app).await, ["a", "b", "d"]);
        let workflow = app.api.get("workflows/w").await.of(200);
        assert_eq!((&workflow.body["version"], workflow.header("etag")), (&json!(5), format!("\"{id}.5\"")));
        let run = app.api.execute("w", json!({})).await;
        assert_eq!((&run["status"], &run["output"]), (&json!("completed"), &json!(7)));
        // Each change has its record.
        let log = app.api.get(&format!("audit?entity_id={id}")).await.of(200).body;
        let actions: Vec<_> = log["items"].as_array().unwrap().iter().map(|r| r["action"].as_str().unwrap()).collect();
        assert_eq!(actions, ["workflow.updated", "workflow.updated", "workflow.updated", "workflow.updated", "workflow.created"]);
    })
    .await;
}

#[tokio::test]
async fn a_task_that_others_need_stays_and_faults_are_told_with_their_places() {
    with_app(async |app| {
        let reads = json!({"name": "r", "type": "transform", "config": {"value": "${steps.a.output}"}});
        let needs = json!({"name": "n", "type": "transform", "needs": ["a"], "config": {"value": 1}});
        app.api.workflow("w", json!([step("a"), reads, needs])).await;
        let refused = app.api.delete("workflows/w/tasks/a").await.problem(422);
        refused.finds("", "the step `n` needs it");
        app.api.delete("workflows/w/tasks/n").await.of(204);
        let refused = app.api.delete("workflows/w/tasks/a").await.problem(422);
        refused.finds("", "the step `r`");
        let refused = app
            .api
            .post("workflows/w/tasks", json!({"name": "x", "type": "delay", "config": {"duration": "soon"}, "needs": ["nobody"]}))
            .await
            .problem(422);
        assert_eq!(refused.pointers(), ["/config/duration", "/needs/0"]);
        app.api.post("workflows/w/tasks", step("a")).await.problem(409).finds("/name", "another step");
        app.api.put("workflows/w/tasks/a", step("z")).await.problem(422).finds("", "the step `r`");
        app.api.post("workflows/w/tasks", json!({"name": "x", "type": "transform", "config": {"value": 1}, "position": 9})).await.problem(422).finds("/position", "from 0 to 2");
        app.api.post("workflows/w/tasks", json!({"name": "x", "typo": 1, "type": "transform", "config": {"value": 1}})).await.problem(400);
        app.api.get("workflows/w/tasks/nobody").await.problem(404);
        app.api.get("workflows/nobody/tasks").await.problem(404);
        assert_eq!(app.api.get("workflows/w").await.body["version"], 2);
    })
    .await;
}

#[tokio::test]
async fn keys_and_tags_guard_changes() {
    with_app(async |app| {
        app.api.workflow("w", json!([step("a")])).await;
        let tag = app.api.get("workflows/w").await.header("etag");
        let tag = tag.as_str();
        let headers = [("idempotency-key", "k1"), ("if-match", tag)];
        let first = app
            .api
            .post_with("workflows/w/tasks", &headers, step("b"))
            .await
            .of(201);
        let again = app
            .api
            .post_with("workflows/w/tasks", &headers, step("b"))
            .await
            .of(201);
        assert_eq!(
            (again.header("idempotency-replayed"), &again.body),
            ("true".into(), &first.body)
        );
        app.api
            .post_with("workflows/w/tasks", &headers, step("c"))
            .await
            .problem(422);
        assert_eq!(names(app).await, ["a", "b"]);
        app.api
            .post_with("workflows/w/tasks", &[("if-match", tag)], step("c"))
            .await
            .problem(412);
        let stale = app
            .api
            .request(Method::DELETE, "workflows/w/tasks/b")
            .header("if-match", tag);
        app.api.send(stale).await.problem(412);
        // Two who add at the same time both do.
        let (one, two) = tokio::join!(
            app.api.post("workflows/w/tasks", step("c")),
            app.api.post("workflows/w/tasks", step("d"))
        );
        one.of(201);
        two.of(201);
        assert_eq!(names(app).await.len(), 4);
    })
    .await;
}

#[tokio::test]
async fn numbered_tasks_come_in_the_order_of_their_numbers() {
    with_app(async |app| {
        let numbered = |name: &str, sequence: i64| {
            let mut step = step(name);
            step["sequence"] = json!(sequence);
            step
        };
        app.api
            .workflow("w", json!([numbered("late", 9), numbered("early", 1)]))
            .await;
        app.api
            .post("workflows/w/tasks", numbered("middle", 5))
            .await
            .of(201);
        assert_eq!(names(app).await, ["early", "middle", "late"]);
        let page = app.api.get("workflows/w/tasks?limit=2").await.of(200).body;
        let next = page["next_cursor"].as_str().unwrap();
        let rest = app
            .api
            .get(&format!("workflows/w/tasks?cursor={next}"))
            .await
            .of(200)
            .body;
        assert_eq!(
            (&rest["items"][0]["name"], &rest["next_cursor"]),
            (&json!("late"), &Value::Null)
        );
    })
    .await;
}

#[tokio::test]
async fn a_mask_where_nothing_is_kept_is_told_at_its_place() {
    with_app(async |app| {
        let hook = |name: &str, sign: &str| {
            json!({"name": name, "type": "http", "config": {"url": "http://127.0.0.1:9/", "sign": sign}})
        };
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        app.api.workflow("w", json!([hook("h", secret)])).await;
        let kept = app.api.put("workflows/w/tasks/h", hook("h", "•••")).await.of(200);
        assert_eq!(kept.body["config"]["sign"], "•••");
        for answer in [
            app.api.put("workflows/w/tasks/h", hook("h2", "•••")).await,
            app.api.post("workflows/w/tasks", hook("new", "•••")).await,
        ] {
            answer.problem(422).finds("/config/sign", "no secret to keep");
        }
        // As the whole workflow says it.
        let whole = json!({"name": "w", "steps": [hook("h2", "•••")]});
        let refused = app.api.put("workflows/w", whole).await.problem(422);
        refused.finds("/steps/0/config/sign", "no secret to keep");
        app.api.post("workflows/w/tasks", hook("new", secret)).await.of(201);
    })
    .await;
}
