//! A page has 16 MiB of payloads at most, whatever it is asked for; its cursor leads on to the rest.

use serde_json::{Value, json};

use crate::harness::{App, with_app};

/// Bytes of payloads on a page, and what stands around them.
const PAGE_BYTES_MAX: usize = (16 << 20) + (64 << 10);
/// Of each payload.
const PAYLOAD_BYTES: usize = 3_900_000;
const PAYLOADS: usize = 7;

/// Reads a list to its end; gives the entries of each page.
async fn pages(app: &App, path: &str) -> Vec<usize> {
    let (mut sizes, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let next = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
        let page = app.api.read(&format!("{path}?limit=200{next}")).await;
        assert!(
            page.raw.len() <= PAGE_BYTES_MAX,
            "{path}: {}",
            page.raw.len()
        );
        sizes.push(page.body["items"].as_array().unwrap().len());
        match &page.body["next_cursor"] {
            Value::String(text) => cursor = Some(text.clone()),
            _ => return sizes,
        }
    }
}

#[tokio::test]
async fn pages_of_large_payloads_are_cut_and_lead_on() {
    with_app(async |app| {
        let steps: Vec<_> = (0..PAYLOADS)
            .map(|n| json!({"name": format!("s{n}"), "type": "transform", "config": {"value": "${input.a}"}}))
            .collect();
        app.api.workflow("many", json!(steps)).await;
        let one = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("one", one).await;
        let input = json!({"a": "x".repeat(PAYLOAD_BYTES)});
        let run = app.api.start("many", input.clone()).await;
        app.api.finished(&run).await;
        let steps = pages(app, &format!("runs/{run}/steps")).await;
        assert!(steps.len() > 1, "{steps:?}");
        assert_eq!(steps.iter().sum::<usize>(), PAYLOADS);
        for _ in 1..PAYLOADS {
            let run = app.api.start("one", input.clone()).await;
            app.api.finished(&run).await;
        }
        let runs = pages(app, "runs").await;
        assert!(runs.len() > 1, "{runs:?}");
        assert_eq!(runs.iter().sum::<usize>(), PAYLOADS);
        for n in 0..PAYLOADS {
            let schedule = json!({"name": format!("s{n}"), "workflow": "one", "cron": "0 0 1 1 *",
                                  "input": input});
            app.api.post("schedules", schedule).await.of(201);
        }
        let schedules = pages(app, "schedules").await;
        assert_eq!(schedules.iter().sum::<usize>(), PAYLOADS);
        assert!(schedules.len() > 1, "{schedules:?}");
    })
    .await;
}
