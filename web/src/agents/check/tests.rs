//! Every broken rule is listed, and what keeps them all passes.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use super::check;
use serde_json::{Value, json};
use stepwell_queue::agent::{Auth, Credentials};

fn pointers(input: &Value, keeps_secrets: bool, replaces: bool) -> Vec<String> {
    let input = serde_json::from_value(input.clone()).unwrap();
    let Err(problem) = check(input, keeps_secrets, replaces) else {
        return Vec::new();
    };
    let mut res = salvo::Response::new();
    problem.render("/", "r", &mut res);
    let salvo::http::ResBody::Once(bytes) = res.take_body() else {
        unreachable!("the body is one piece")
    };
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let errors = body["errors"].as_array().unwrap();
    errors
        .iter()
        .map(|error| error["pointer"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_broken_rule_is_listed() {
    let input = json!({
        "name": "-x", "url": "ftp://h", "health_path": "health", "timeout_ms": 0,
        "max_concurrency": 0, "status": "gone", "auth_type": "bearer", "auth_config": {"tokn": "x"},
        "retry_config": {"max_attempts": 101, "jitter": 1.5, "backoff_coefficient": 0.5,
                         "retry_on": [500, "6xx", 42]},
    });
    assert_eq!(
        pointers(&input, true, false),
        [
            "/name",
            "/url",
            "/health_path",
            "/timeout_ms",
            "/max_concurrency",
            "/status",
            "/retry_config/max_attempts",
            "/retry_config/backoff_coefficient",
            "/retry_config/jitter",
            "/retry_config/retry_on/1",
            "/retry_config/retry_on/2",
            "/auth_config/tokn",
            "/auth_config/token"
        ]
    );
}

#[test]
fn credentials_follow_their_type() {
    let with = |kind: &str, config: Value| json!({"name": "a", "url": "http://h", "auth_type": kind, "auth_config": config});
    for (kind, config) in [
        ("bearer", json!({"token": "t"})),
        ("api_key", json!({"key": "k"})),
        ("basic", json!({"username": "u", "password": "p"})),
        ("none", Value::Null),
    ] {
        assert!(
            pointers(&with(kind, config.clone()), true, false).is_empty(),
            "{kind}"
        );
        let alone = if kind == "none" {
            vec![]
        } else {
            vec!["/auth_type"]
        };
        assert_eq!(pointers(&with(kind, config), false, false), alone, "{kind}");
    }
    assert_eq!(
        pointers(&with("bearer", json!("•••")), true, false),
        ["/auth_config"]
    );
    assert!(pointers(&with("bearer", json!("•••")), true, true).is_empty());
    assert_eq!(
        pointers(&with("none", json!({"token": "t"})), true, true),
        ["/auth_config"]
    );
    assert_eq!(
        pointers(
            &with("api_key", json!({"key": "k", "header": "a b"})),
            true,
            true
        ),
        ["/auth_config/header"]
    );
    assert_eq!(
        pointers(&with("digest", Value::Null), true, true),
        ["/auth_type"]
    );
}

#[test]
fn an_api_key_has_a_header() {
    let input = json!({"name": "a", "url": "http://h", "auth_type": "api_key", "auth_config": {"key": "k"}});
    let agent = check(serde_json::from_value(input).unwrap(), true, false).unwrap();
    let Credentials::Set(Auth::ApiKey { header, .. }) = agent.credentials else {
        unreachable!("it was given")
    };
    assert_eq!(header, "X-API-Key");
}

#[test]
fn names_and_urls() {
    let with = |name: &str, url: &str| pointers(&json!({"name": name, "url": url}), true, false);
    for name in ["a", "Credit Check 2", "a.b_c-d", &"x".repeat(100)] {
        assert!(with(name, "http://127.0.0.1:9000/x").is_empty(), "{name}");
    }
    for name in [
        "",
        " a",
        "a/b",
        "é",
        &"x".repeat(101),
        "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
    ] {
        assert_eq!(with(name, "https://h"), ["/name"], "{name}");
    }
    for url in [
        "",
        "h",
        "//h",
        "file:///etc/passwd",
        "http://",
        "http://u:p@h/",
        "http://h/#x",
    ] {
        assert_eq!(with("a", url), ["/url"], "{url}");
    }
}
