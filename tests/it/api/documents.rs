//! The OpenAPI document is complete, and its pages work without the internet.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::with_app;

/// Every operation with the statuses it documents. A new route is a new line here.
const OPERATIONS: &str = include_str!("operations.txt");

#[tokio::test]
async fn the_document_lists_every_operation_and_status() {
    with_app(async |app| {
        let document = app.api.get("/openapi.json").await.of(200).body;
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
        let found = operations(&document);
        let known: BTreeSet<_> = OPERATIONS.lines().map(ToOwned::to_owned).collect();
        let missing: Vec<_> = known.difference(&found).collect();
        let new: Vec<_> = found.difference(&known).collect();
        assert!(
            missing.is_empty() && new.is_empty(),
            "tests/it/api/operations.txt and /openapi.json differ.\nNo longer there: {missing:#?}\nNew: {new:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn every_part_of_the_document_is_described() {
    with_app(async |app| {
        let document = app.api.get("/openapi.json").await.of(200).body;
        let mut lacking = Vec::new();
        let mut ids = BTreeSet::new();
        for (path, method, operation) in each(&document) {
            let name = format!("{method} {path}");
            if operation["summary"].as_str().is_none_or(str::is_empty) {
                lacking.push(format!("{name}: no summary"));
            }
            if !ids.insert(operation["operationId"].to_string()) {
                lacking.push(format!(
                    "{name}: operationId {} twice",
                    operation["operationId"]
                ));
            }
            for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
                let answer = resolved(&document, answer);
                if answer["description"].as_str().is_none_or(str::is_empty) {
                    lacking.push(format!("{name} {status}: no description"));
                }
                let is_problem = answer["content"]
                    .as_object()
                    .is_some_and(|content| content.contains_key("application/problem+json"));
                // 503 of /health is its ordinary body.
                if status.as_str() >= "400" && !is_problem && !path.starts_with("/health") {
                    lacking.push(format!("{name} {status}: no application/problem+json"));
                }
            }
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let part = part.trim_end_matches('}');
                let described = operation["parameters"].as_array().into_iter().flatten();
                if !described
                    .into_iter()
                    .any(|p| p["name"] == part && p["in"] == "path")
                {
                    lacking.push(format!("{name}: path parameter {part} is not described"));
                }
            }
        }
        // Generators of clients do not see through a field that is "all of" its type and a text.
        let text = document.to_string();
        if text.contains("\"allOf\"") {
            lacking.push("an allOf: name the schema in one piece".to_owned());
        }
        for reference in references(&document) {
            let target = document.pointer(reference.trim_start_matches('#'));
            if target.is_none() {
                lacking.push(format!("{reference} leads nowhere"));
            }
        }
        assert!(lacking.is_empty(), "{lacking:#?}");
    })
    .await;
}

#[tokio::test]
async fn a_form_filled_in_by_the_document_is_answered() {
    with_app(async |app| {
        let document = app.api.get("/openapi.json").await.of(200).body;
        let mut lists = 0;
        for (path, method, operation) in each(&document) {
            let mut query = Vec::new();
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                let name = format!("{method} {path}: {}", parameter["name"]);
                if parameter["required"] == true {
                    assert!(!parameter["example"].is_null(), "{name} has no example");
                    continue;
                }
                // Pages for trying out send the example of a parameter, and show the schema's.
                assert!(parameter["example"].is_null(), "{name} would be filled in");
                let schema = &parameter["schema"];
                assert!(
                    schema["examples"][0] != Value::Null,
                    "{name} has no example"
                );
                if let (false, "query") = (
                    schema["default"].is_null(),
                    parameter["in"].as_str().unwrap(),
                ) {
                    let value = schema["default"].to_string();
                    query.push(format!(
                        "{}={}",
                        parameter["name"].as_str().unwrap(),
                        value.trim_matches('"')
                    ));
                }
            }
            let answers = &operation["responses"]["200"]["content"];
            // A stream does not end.
            let streams = !answers["text/event-stream"].is_null();
            if method == "get" && !path.contains('{') && !streams {
                lists += usize::from(!query.is_empty());
                app.api
                    .get(&format!("{path}?{}", query.join("&")))
                    .await
                    .of(200);
            }
        }
        assert!(lists >= 3, "{lists}");
        // The second page of a list whose form was filled in.
        for name in ["a", "b"] {
            app.api.agent(name, "http://127.0.0.1:9/").await;
        }
        let first = app.api.get("agents?limit=1&offset=0").await.of(200).body;
        let cursor = first["next_cursor"].as_str().unwrap();
        let second =
            format!("agents?limit=1&offset=0&sort_by=created_at&sort_order=desc&cursor={cursor}");
        assert_eq!(
            app.api.get(&second).await.of(200).body["items"][0]["name"],
            "a"
        );
        let icon = app.api.get("/favicon.ico").await.of(200);
        assert_eq!(icon.header("content-type"), "image/svg+xml");
    })
    .await;
}

#[tokio::test]
async fn the_command_prints_the_same_document() {
    with_app(async |app| {
        let served = app.api.get("/openapi.json").await.of(200).body;
        let mut process = crate::harness::Process::spawn("openapi", &["openapi"], &[]);
        assert_eq!(process.exit().await.code(), Some(0), "{}", process.log());
        let printed: Value = serde_json::from_str(&process.output()).unwrap();
        assert_eq!(printed["paths"], served["paths"]);
    })
    .await;
}

#[tokio::test]
async fn the_pages_load_nothing_from_elsewhere() {
    with_app(async |app| {
        for page in ["/docs", "/redoc"] {
            let mut answer = app.api.get(page).await;
            if (301..=308).contains(&answer.status) {
                answer = app.api.get(&answer.header("location")).await;
            }
            let answer = answer.of(200);
            assert!(
                answer.header("content-type").starts_with("text/html"),
                "{page}"
            );
            let loaded = loaded(&answer.raw);
            assert!(!loaded.is_empty(), "{page} loads no script: {}", answer.raw);
            for address in loaded {
                assert!(!address.contains("//"), "{page} loads {address}");
                let path = if let Some(relative) = address.strip_prefix("./") {
                    format!("{page}/{relative}")
                } else if address.starts_with('/') {
                    address.clone()
                } else {
                    format!("{page}/{address}")
                };
                let asset = app
                    .api
                    .request(reqwest::Method::GET, &path)
                    .send()
                    .await
                    .unwrap();
                assert!(
                    asset.status().is_success(),
                    "{page} loads {path}: {}",
                    asset.status()
                );
            }
        }
    })
    .await;
}

/// `GET /path: 200 400 503` for each.
fn operations(document: &Value) -> BTreeSet<String> {
    each(document)
        .map(|(path, method, operation)| {
            let mut statuses: Vec<_> = operation["responses"]
                .as_object()
                .unwrap()
                .keys()
                .cloned()
                .collect();
            statuses.sort();
            format!("{} {path}: {}", method.to_uppercase(), statuses.join(" "))
        })
        .collect()
}

fn each(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .filter(|(method, _)| {
                ["get", "post", "put", "delete", "patch"].contains(&method.as_str())
            })
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    })
}

/// What a `$ref` stands for; anything else is itself.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let target = value["$ref"]
        .as_str()
        .and_then(|r| document.pointer(r.trim_start_matches('#')));
    target.unwrap_or(value)
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, inner)| match inner.as_str() {
                Some(text) if key == "$ref" => vec![text.to_owned()],
                _ => references(inner),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// The addresses in `src="…"` and in the `href="…"` of `<link>`.
fn loaded(page: &str) -> Vec<String> {
    page.split('<')
        .filter(|tag| {
            ["script", "link", "img"]
                .iter()
                .any(|name| tag.starts_with(name))
        })
        .filter_map(|tag| {
            let at = tag
                .find("src=")
                .map(|at| at + 4)
                .or_else(|| tag.find("href=").map(|at| at + 5))?;
            let rest = tag.get(at..)?;
            let quote = rest.chars().next()?;
            rest.get(1..)?.split(quote).next().map(ToOwned::to_owned)
        })
        .filter(|address| !address.starts_with("data:"))
        .collect()
}
