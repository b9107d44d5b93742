//! A workflow as a graph.

use serde_json::{Value, json};

use crate::harness::with_app;

fn edges(graph: &Value) -> Vec<String> {
    let edges = graph["edges"].as_array().unwrap().iter();
    let mut edges: Vec<_> = edges
        .map(|e| format!("{} {} {}", e["from"], e["why"], e["to"]).replace('"', ""))
        .collect();
    edges.sort();
    edges
}

#[tokio::test]
async fn edges_say_why() {
    with_app(async |app| {
        let value = |name: &str, value: &str| json!({"name": name, "type": "transform", "config": {"value": value}});
        let mut join = value("join", "${steps.a.output}");
        join["needs"] = json!(["a", "b"]);
        let map = json!({"name": "all", "type": "map", "when": "true", "config": {"items": "${[1]}",
            "step": {"type": "transform", "config": {"value": "${steps.b.output}"}}}});
        app.api.workflow("w", json!([value("a", "1"), value("b", "2"), join, map])).await;
        let graph = app.api.get("workflows/w/graph").await.of(200).body;
        assert_eq!(
            edges(&graph),
            ["a data join", "a needs join", "a order b", "b data all", "b needs join", "join order all"]
        );
        let last = &graph["nodes"][3];
        assert_eq!(
            (&last["id"], &last["type"], &last["item_type"], &last["conditional"]),
            (&json!("all"), &json!("map"), &json!("transform"), &json!(true))
        );
        app.api.delete("workflows/w/tasks/all").await.of(204);
        let now = app.api.get("workflows/w/graph").await.of(200).body;
        assert_eq!((now["nodes"].as_array().unwrap().len(), &now["version"]), (3, &json!(2)));
        let then = app.api.get("workflows/w/graph?version=1").await.of(200).body;
        assert_eq!(then["edges"], graph["edges"]);
        app.api.get("workflows/w/graph?version=3").await.problem(404);
        app.api.get("workflows/w/graph?version=0").await.problem(400);
    })
    .await;
}

fn parts(graph: &Value) -> Vec<String> {
    let nodes = graph["nodes"].as_array().unwrap().iter();
    let shown = nodes.map(|node| format!("{} {}", node["part"], node["id"]).replace('"', ""));
    shown.collect()
}

#[tokio::test]
async fn what_runs_when_a_run_fails_stands_apart() {
    with_app(async |app| {
        let value = |name: &str, value: &str| json!({"name": name, "type": "transform", "config": {"value": value}});
        let after = json!({"on_failure": [value("x", "${error.type}"), value("y", "1"), value("z", "${steps.x.output}")]});
        app.api.workflow_with("w", json!([value("a", "1")]), after.clone()).await;
        let graph = app.api.get("workflows/w/graph").await.of(200).body;
        assert_eq!(parts(&graph), ["steps a", "on_failure x", "on_failure y", "on_failure z"]);
        assert_eq!(edges(&graph), ["x data z", "x on_failure y", "y on_failure z"]);

        let mut undone = value("b", "1");
        undone["compensate"] = json!({"type": "transform", "config": {"value": "${steps.a.output}"}});
        let steps = json!([value("a", "1"), undone]);
        app.api.workflow_with("v", steps, json!({"on_failure": [value("x", "1")]})).await;
        let graph = app.api.get("workflows/v/graph").await.of(200).body;
        assert_eq!(parts(&graph), ["steps a", "steps b", "compensate undo:b", "on_failure x"]);
        assert_eq!(edges(&graph), ["a data undo:b", "a order b", "b compensate undo:b"]);
    })
    .await;
}
