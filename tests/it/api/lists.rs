//! Pages: cursors, offsets, orders, totals, filters.

use serde_json::json;

use crate::harness::{App, with_app};

async fn runs(app: &App, count: usize) -> Vec<String> {
    let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
    app.api.workflow("w", steps).await;
    let runs: Vec<_> = (0..count)
        .map(|n| json!({"workflow": "w", "labels": {"parity": if n % 2 == 0 { "even" } else { "odd" }}}))
        .collect();
    let items = app
        .api
        .post("runs/batch", json!({"runs": runs}))
        .await
        .of(202)
        .body;
    let ids: Vec<_> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect();
    for id in &ids {
        app.api.finished(id).await;
    }
    ids
}

async fn ids(app: &App, query: &str) -> Vec<String> {
    let page = app.api.get(&format!("runs?{query}")).await.of(200).body;
    let items = page["items"].as_array().unwrap().clone();
    items
        .iter()
        .map(|run| run["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_cursor_gives_every_run_once_newest_first() {
    with_app(async |app| {
        let mut made = runs(app, 23).await;
        made.sort();
        made.reverse();
        let mut seen = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = app
                .api
                .get(&format!("runs?limit=5{cursor}"))
                .await
                .of(200)
                .body;
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= 5);
            seen.extend(
                items
                    .iter()
                    .map(|run| run["id"].as_str().unwrap().to_owned()),
            );
            // What comes in between does not shift the pages.
            app.api.start("w", json!({})).await;
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, made);
        for id in ids(app, "limit=200").await {
            app.api.finished(&id).await;
        }
    })
    .await;
}

#[tokio::test]
async fn order_and_offset() {
    with_app(async |app| {
        let mut made = runs(app, 7).await;
        made.sort();
        assert_eq!(ids(app, "sort_order=asc").await, made);
        assert_eq!(
            ids(app, "sort_order=asc&limit=3&offset=2").await,
            made[2..5]
        );
        assert_eq!(
            ids(app, "sort_by=created_at&sort_order=asc&limit=1").await,
            made[..1]
        );
        assert_eq!(ids(app, "offset=10000").await, Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn a_total_only_when_asked_for() {
    with_app(async |app| {
        runs(app, 6).await;
        let plain = app.api.get("runs?limit=2").await.of(200).body;
        assert!(
            plain.get("total").is_none_or(serde_json::Value::is_null),
            "{plain}"
        );
        let counted = app.api.get("runs?limit=2&count=true").await.of(200).body;
        assert_eq!(counted["total"], 6);
        assert_ne!(counted["total_is_estimate"], true);
        let filtered = app
            .api
            .get("runs?count=true&label=parity:odd")
            .await
            .of(200)
            .body;
        assert_eq!(filtered["total"], 3);
    })
    .await;
}

#[tokio::test]
async fn runs_are_filtered() {
    with_app(async |app| {
        let made = runs(app, 4).await;
        let failing =
            json!([{"name": "x", "type": "transform", "config": {"value": "${1 / input.zero}"}}]);
        let other = app.api.workflow("failing", failing).await;
        let failed = app
            .api
            .start_with("failing", json!({"input": {"zero": 0}, "queue": "default"}))
            .await;
        assert_eq!(app.api.finished(&failed).await["status"], "failed");
        let waiting = app
            .api
            .start_with("w", json!({"queue": "nobody-listens"}))
            .await;
        assert_eq!(ids(app, "status=failed").await, [failed.as_str()]);
        let both = ids(app, "status=failed&status=completed").await;
        assert_eq!(both.len(), 5, "{both:?}");
        assert_eq!(ids(app, "status=pending").await, [waiting.as_str()]);
        assert_eq!(
            ids(app, &format!("workflow_id={other}")).await,
            [failed.as_str()]
        );
        assert_eq!(ids(app, "queue=nobody-listens").await, [waiting.as_str()]);
        assert_eq!(ids(app, "label=parity:even").await.len(), 2);
        let created = app.api.run(&failed).await["created_at"]
            .as_str()
            .unwrap()
            .to_owned();
        let after = ids(app, &format!("created_after={created}")).await;
        assert!(
            after.contains(&waiting) && !after.contains(&made[0]),
            "{after:?}"
        );
        let before = ids(app, &format!("created_before={created}")).await;
        assert!(
            before.contains(&made[0]) && !before.contains(&waiting),
            "{before:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn cursors_hold_for_agents_and_workflows_too() {
    with_app(async |app| {
        for n in 0..5 {
            app.api.agent(&format!("a{n}"), "http://127.0.0.1:9/").await;
            let steps = json!([{"name": "t", "type": "transform", "config": {"value": n}}]);
            app.api.workflow(&format!("w{n}"), steps).await;
        }
        for path in ["agents", "workflows"] {
            let mut seen = std::collections::BTreeSet::new();
            let mut cursor = String::new();
            for _ in 0..3 {
                let page = app
                    .api
                    .get(&format!("{path}?limit=2{cursor}"))
                    .await
                    .of(200)
                    .body;
                for item in page["items"].as_array().unwrap() {
                    assert!(seen.insert(item["id"].to_string()), "{item} twice");
                }
                let next = page["next_cursor"].as_str().unwrap_or_default();
                cursor = format!("&cursor={next}");
                if next.is_empty() {
                    break;
                }
            }
            assert_eq!(seen.len(), 5, "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_is_of_its_list_and_as_it_was_given() {
    use base64::Engine as _;
    let forged = |list: &str, sort: &str| {
        let id = "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41";
        let cursor = json!({"l": list, "s": sort, "d": true, "k": "\0", "i": id});
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(cursor.to_string())
    };
    with_app(async |app| {
        for (list, sort) in [
            ("agents", "name"),
            ("records", "source"),
            ("records", "status"),
            ("records", "category"),
            ("schedules", "name"),
            ("queues", "name"),
        ] {
            let path = format!("{list}?sort_by={sort}&cursor={}", forged(list, sort));
            let refused = app.api.get(&path).await.problem(400);
            assert_eq!(refused.body["errors"][0]["parameter"], "cursor", "{path}");
        }
        for name in ["a", "b"] {
            app.api.agent(name, "http://127.0.0.1:9/").await;
        }
        let first = app.api.get("agents?limit=1").await.of(200).body;
        let cursor = first["next_cursor"].as_str().unwrap();
        app.api
            .get(&format!("agents?cursor={cursor}"))
            .await
            .of(200);
        for list in [
            "workflows",
            "runs",
            "records",
            "schedules",
            "subscriptions",
            "appeals",
        ] {
            let refused = app
                .api
                .get(&format!("{list}?cursor={cursor}"))
                .await
                .problem(400);
            assert!(
                refused.raw.contains("another list"),
                "{list}: {}",
                refused.raw
            );
        }
    })
    .await;
}
