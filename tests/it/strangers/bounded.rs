//! A refused request gets a small answer, whatever it says and however much of it is wrong.

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, App, with_app};

/// Bytes of an answer to a request that is refused.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// A key that would be repeated for each fault below it.
const LONG_KEY: usize = 100_000;

/// Values that are wrong in thousands of places, or quoted at length.
fn hostile() -> Vec<Value> {
    let nuls: Vec<_> = (0..9_000).map(|_| "\0").collect();
    vec![
        json!({ "k".repeat(LONG_KEY): nuls }),
        json!(vec![1; 5_000]),
        json!(vec!["\u{1}"; 5_000]),
        json!("\u{1}\"ü".repeat(50_000)),
        json!(
            (0..3_000)
                .map(|n| (format!("{n}"), json!("\0")))
                .collect::<Map<_, _>>()
        ),
    ]
}

fn check(answer: &Answer, name: &str) {
    let bytes = answer.raw.len();
    assert!(
        bytes <= ANSWER_BYTES_MAX,
        "{name}: {} with {bytes} bytes",
        answer.status
    );
}

/// Method, path with its parameters filled in, and the example of each operation that takes a body.
fn operations(document: &Value) -> Vec<(Method, String, Value)> {
    let mut found = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Ok(method) = Method::from_bytes(method.to_uppercase().as_bytes()) else {
                continue;
            };
            // Of what comes with a token that is none nothing is read: another test.
            if method == Method::GET || path.contains("{token}") {
                continue;
            }
            let example = &operation["requestBody"]["content"]["application/json"]["example"];
            let path = path.replace("{id}", "w").replace(['{', '}'], "");
            found.push((method, path, example.clone()));
        }
    }
    found
}

async fn send(app: &App, method: &Method, path: &str, body: String) -> Answer {
    let request = app.api.request(method.clone(), path);
    let request = request.header("content-type", "application/json");
    app.api.send(request.body(body)).await
}

#[tokio::test]
async fn no_operation_answers_a_hostile_body_at_length() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let document = app.api.get("/openapi.json").await.of(200).body;
        let (operations, hostile) = (operations(&document), hostile());
        assert!(operations.len() > 40);
        let whole: Vec<_> = hostile.iter().map(Value::to_string).collect();
        let unknown = json!({ "u".repeat(4_000_000): 1 }).to_string();
        for (method, path, example) in operations {
            let name = format!("{method} {path}");
            for body in whole.iter().chain([&unknown]) {
                check(&send(app, &method, &path, body.clone()).await, &name);
            }
            for field in example.as_object().into_iter().flat_map(Map::keys) {
                for value in &hostile {
                    let mut body = example.clone();
                    body[field] = value.clone();
                    let answer = send(app, &method, &path, body.to_string()).await;
                    if answer.status >= 400 {
                        check(&answer, &format!("{name} {field}"));
                    }
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hundred_faults_are_told_and_that_there_are_more() {
    with_app(async |app| {
        let wrong: Vec<_> = (0..900).map(|_| json!({"name": "t", "kind": 1})).collect();
        let definition = json!({"id": "w", "name": "w", "steps": wrong});
        let refused = app.api.post("workflows", definition.clone()).await;
        check(&refused, "create");
        let errors = refused.body["errors"].as_array().unwrap();
        assert_eq!(errors.len(), 100, "{}", refused.raw);
        assert!(
            refused.body["detail"]
                .as_str()
                .unwrap()
                .contains("ore than 100")
        );
        let told = app.api.post("workflows/validate", definition).await.of(200);
        assert_eq!(told.body["more"], true);
        let items = json!({"name": "w", "id": "w", "steps": [{"name": "t", "type": "transform",
            "config": {"value": 1}}], "input_schema": {"type": "object", "properties":
            {"n": {"items": {"type": "integer"}}}}});
        app.api.post("workflows", items).await.of(201);
        for many in [1_000, 200_000] {
            let input = json!({"input": {"n": vec!["x"; many]}});
            let refused = app
                .api
                .post("workflows/w/execute", input)
                .await
                .problem(422);
            check(&refused, "input");
            assert_eq!(refused.body["errors"][0]["pointer"], "/input/n/0");
        }
        let run = json!({"workflow": "w", "input": {"n": vec!["\0"; 100]}});
        let refused = app
            .api
            .post("runs/batch", json!({"runs": vec![run; 900]}))
            .await;
        check(&refused.problem(422), "batch");
    })
    .await;
}

#[tokio::test]
async fn an_input_that_came_by_sql_fails_its_run_in_few_words() {
    with_app(async |app| {
        let definition = json!({"name": "w", "id": "w", "steps": [{"name": "t", "type": "transform",
            "config": {"value": 1}}], "input_schema": {"additionalProperties": {"type": "integer"}}});
        app.api.post("workflows", definition).await.of(201);
        let key = "k".repeat(LONG_KEY);
        let input = json!({ key: "x", "a": vec![0; 100_000] }).to_string();
        let id = app
            .database
            .text(&format!("select stepwell.execute('w', '{input}'::jsonb)::text"))
            .await
            .unwrap();
        let run = app.api.finished(&id).await;
        assert_eq!(run["error"]["type"], "input_invalid", "{}", run["error"]);
        assert!(run["error"]["message"].as_str().unwrap().chars().count() <= 4_096);
    })
    .await;
}
