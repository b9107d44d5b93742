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
