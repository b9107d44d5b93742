//! What takes long to check holds nobody up, and how much of it waits is bounded.

use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::with_app;

/// Definitions that are checked at once: more than are taken.
const AT_ONCE: usize = 50;
/// How soon a probe is answered, on a machine that does other things as well.
const PROBE: Duration = Duration::from_secs(1);

/// A definition that is just large enough.
fn long() -> Value {
    let sum = vec!["input.n"; 60].join(" + ");
    let steps = (0..30).map(|n| {
        json!({ "name": format!("s{n}"), "type": "transform", "config": { "value": format!("${{{sum}}}") } })
    });
    json!({ "name": "Long", "steps": steps.collect::<Vec<_>>() })
}

#[tokio::test]
async fn definitions_are_checked_beside_everything_else() {
    with_app(async |app| {
        let api = &app.api;
        let long = long();
        let check = async || {
            let request = api.request(Method::POST, "/api/v1/workflows/validate");
            api.send(request.json(&long)).await
        };
        let checks = async { join_all((0..AT_ONCE).map(|_| check())).await };
        let probes = async {
            loop {
                let begun = Instant::now();
                api.get("/health/live").await.of(200);
                assert!(begun.elapsed() < PROBE, "{:?}", begun.elapsed());
            }
        };
        let answers = tokio::select! {
            answers = checks => answers,
            () = probes => unreachable!("it never ends"),
        };
        let (taken, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|a| a.status == 200);
        assert!(!taken.is_empty() && !refused.is_empty());
        for answer in taken {
            assert_eq!(answer.body["valid"], true, "{}", answer.raw);
        }
        for answer in refused {
            assert_eq!(answer.header("retry-after"), "1");
            assert_eq!(answer.body["type"], "urn:stepwell:problem:overloaded");
            answer.of(503);
        }
        check().await.of(200);
    })
    .await;
}
