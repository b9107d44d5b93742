//! What other sites' pages have a visitor's browser send is refused, at every operation; names are known or refused.

use reqwest::Method;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, App, Database, with_app};

/// What comes with the request, and what it is answered.
const CROSS_SITE: &[(&[(&str, &str)], u16)] = &[
    (&[("sec-fetch-site", "cross-site")], 403),
    (&[("sec-fetch-site", "same-site")], 403),
    (&[("origin", "https://evil.example")], 403),
    (&[("origin", "null")], 403),
    (&[("content-type", "text/plain")], 415),
    (
        &[(
            "content-type",
            "Application/X-WWW-Form-Urlencoded; charset=utf-8",
        )],
        415,
    ),
    (&[("content-type", "multipart/form-data; boundary=b")], 415),
];

#[tokio::test]
async fn no_operation_obeys_a_page_of_another_site() {
    with_app(async |app| {
        let document = app.api.get("/openapi.json").await.of(200).body;
        let mut asked = 0;
        for (method, path) in unsafe_operations(&document) {
            for (headers, status) in CROSS_SITE {
                let mut request = app.api.request(method.clone(), &path);
                for (name, value) in *headers {
                    request = request.header(*name, *value);
                }
                let answer = Answer::read(request.send().await.unwrap()).await;
                assert_eq!(
                    answer.status, *status,
                    "{method} {path} {headers:?}: {}",
                    answer.raw
                );
                asked += 1;
            }
        }
        assert!(asked > 200, "{asked}");
        let done = "select count(*) from stepwell.audit";
        assert_eq!(app.database.number(done).await, 0);
    })
    .await;
}

/// Methods and paths, the placeholders filled in.
fn unsafe_operations(document: &Value) -> Vec<(Method, String)> {
    let paths = document["paths"].as_object().unwrap();
    let mut all = Vec::new();
    for (path, item) in paths {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            if !method.is_safe() {
                let path = path.replace(['{', '}'], "");
                all.push((method, path));
            }
        }
    }
    all
}

#[tokio::test]
async fn its_own_pages_and_programs_are_obeyed() {
    with_app(async |app| {
        let own = format!("http://127.0.0.1:{}", app.port);
        for headers in [
            vec![],
            vec![("sec-fetch-site", "same-origin"), ("origin", own.as_str())],
            vec![("sec-fetch-site", "none")],
            vec![("origin", own.as_str())],
        ] {
            let mut request = app.api.request(Method::POST, "queues/default/pause");
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert_eq!(answer.status, 200, "{headers:?}: {}", answer.raw);
        }
    })
    .await;
}

/// Sends a head as it stands, and gives the status of the answer.
async fn status_of(port: u16, head: &str) -> u16 {
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port))
        .await
        .unwrap();
    let head = format!("{head}connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer[9..12].parse().unwrap()
}

#[tokio::test]
async fn an_open_server_answers_to_its_names_only() {
    let names = [("STEPWELL_ALLOWED_HOSTS", "stepwell.internal,other.example")];
    let mut app = App::on(Database::migrated().await, &names);
    app.up().await;
    for (hosts, status) in [
        ("host: localhost\r\n", 200),
        ("host: LOCALHOST:8080\r\n", 200),
        ("host: [::1]:8080\r\n", 200),
        ("host: 10.0.0.1\r\n", 200),
        ("host: stepwell.internal:8080\r\n", 200),
        ("host: other.example\r\n", 200),
        ("host: evil.example\r\n", 403),
        ("host: localhost.evil.example\r\n", 403),
        ("host: a@localhost\r\n", 400),
        ("host: localhost\r\nhost: evil.example\r\n", 400),
        ("host: localhost\r\nhost: localhost\r\n", 400),
        ("", 400),
    ] {
        for path in ["/api/v1/runs", "/health/live", "/metrics", "/docs/", "/"] {
            let head = format!("GET {path} HTTP/1.1\r\n{hosts}");
            assert_eq!(status_of(app.port, &head).await, status, "{path} {hosts:?}");
        }
    }
    let head = "GET http://evil.example/health/live HTTP/1.1\r\nhost: localhost\r\n";
    assert_eq!(status_of(app.port, head).await, 400);
    app.finish().await;
}

#[tokio::test]
async fn a_server_that_asks_for_keys_answers_to_any_name() {
    let mut app = App::on(Database::migrated().await, &[("STEPWELL_AUTH", "keys")]);
    app.up().await;
    let head = "GET /health/live HTTP/1.1\r\nhost: stepwell.example.com\r\n";
    assert_eq!(status_of(app.port, head).await, 200);
    let twice = "GET /health/live HTTP/1.1\r\nhost: a\r\nhost: b\r\n";
    assert_eq!(status_of(app.port, twice).await, 400);
    app.finish().await;
}

#[tokio::test]
async fn pages_run_no_script_but_their_own() {
    with_app(async |app| {
        for path in ["/", "/docs/", "/redoc"] {
            let answer = app.api.get(path).await.of(200);
            let policy = answer.header("content-security-policy");
            let scripts = policy
                .split("; ")
                .find(|part| part.starts_with("script-src"));
            let scripts = scripts.unwrap();
            assert!(scripts.contains("'sha256-"), "{path}: {policy}");
            assert!(!scripts.contains("unsafe"), "{path}: {policy}");
            for word in [
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            ] {
                assert!(policy.contains(word), "{path}: {policy}");
            }
        }
    })
    .await;
}
