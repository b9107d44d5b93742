//! Runs whose expressions take long hold nobody up: not the heartbeat, not the probes, not other runs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::App;
use crate::harness::app::QUICK_DEATHS;

/// How soon a probe is answered and another run is over, while others think: far less than the time
/// after which a worker is held for dead, on a machine that does other things as well.
const PROBE: Duration = Duration::from_secs(1);
const OTHER: Duration = Duration::from_secs(8);

/// What a hostile input makes of three innocent expressions.
fn thoughts() -> [(&'static str, Value, Value); 3] {
    let keywords: Vec<_> = (0..5_000).map(|n| format!("keyword {n}")).collect();
    let patterns: Vec<_> = (0..500)
        .map(|n| "\\pL".repeat(150) + &n.to_string())
        .collect();
    let numbers: Vec<_> = (0..1_100).collect();
    let each = "${size(input.numbers.filter(x, x in input.numbers))}";
    [
        (
            "keywords",
            json!("${input.keywords.filter(k, input.text.contains(k))}"),
            json!({ "keywords": keywords, "text": "key-word ".repeat(210_000) }),
        ),
        (
            "patterns",
            json!("${input.patterns.filter(p, 'a'.matches(p) || true)}"),
            json!({ "patterns": patterns }),
        ),
        (
            "many",
            json!(vec![each; 400]),
            json!({ "numbers": numbers }),
        ),
    ]
}

#[tokio::test]
async fn a_run_that_thinks_long_holds_nobody_up() {
    let app = App::separate(2, QUICK_DEATHS).await;
    app.api
        .workflow("other", json!([transform(json!("${1 + input.n}"))]))
        .await;
    let mut thinking = Vec::new();
    for (name, value, input) in thoughts() {
        app.api.workflow(name, json!([transform(value)])).await;
        thinking.push((name, input));
    }
    let mut runs = Vec::new();
    for (name, input) in thinking {
        runs.push(app.api.start(name, input).await);
    }
    let api = &app.api;
    let over = async {
        let mut ended = Vec::new();
        for run in &runs {
            ended.push(api.finished_within(run, Duration::from_secs(100)).await);
        }
        ended
    };
    let others = async {
        loop {
            let begun = Instant::now();
            assert_eq!(api.get("/health/live").await.status, 200);
            assert!(
                begun.elapsed() < PROBE,
                "a probe took {:?}",
                begun.elapsed()
            );
            let other = api.start("other", json!({ "n": 1 })).await;
            let done = api.finished_within(&other, OTHER).await;
            assert_eq!(done["output"], json!(2), "{done}");
        }
    };
    let ended = tokio::select! {
        ended = over => ended,
        () = others => unreachable!("it never ends"),
    };
    for run in ended {
        assert_eq!(run["status"], "failed", "{run}");
        assert_eq!(run["error"]["type"], "expression", "{run}");
        let message = run["error"]["message"].as_str().unwrap();
        let tells = message.contains("too much data") || message.contains("took too long");
        assert!(tells, "{message}");
    }
    let dead = "select count(*) from stepwell.worker where status <> 'alive'";
    assert_eq!(
        app.database.number(dead).await,
        0,
        "no worker was held for dead"
    );
    app.finish().await;
}

fn transform(value: Value) -> Value {
    json!({ "name": "think", "type": "transform", "config": { "value": value } })
}
