//! A run in numbers.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::with_app;

#[tokio::test]
async fn a_map_of_ten_thousand_items_is_counted_quickly() {
    with_app(async |app| {
        let decide = json!({"type": "decide", "config": {
            "rules": [{"when": "item % 4 == 0", "value": "denied", "reason": "a multiple of four"}],
            "default": "eligible"}});
        let number = json!({"type": "transform", "config": {"value": "${item}"}});
        app.api
            .workflow("w", json!([
                {"name": "judge", "type": "map", "config": {"items": "${input.all}", "step": decide}},
                {"name": "copy", "type": "map", "config": {"items": "${input.few}", "step": number}},
                {"name": "end", "type": "transform", "config": {"value": 1}},
            ]))
            .await;
        let all: Vec<u32> = (0..10_000).collect();
        let few: Vec<u32> = (0..50).collect();
        let run = app.api.execute("w", json!({"all": all, "few": few})).await;
        assert_eq!(run["status"], "completed", "{run}");
        let path = format!("runs/{}/report", run["id"].as_str().unwrap());
        let begun = Instant::now();
        let report = app.api.get(&path).await.of(200).body;
        assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
        assert_eq!(report["items_total"], 10_050);
        assert_eq!(report["steps_by_status"], json!({"completed": 3}));
        let judge = &report["steps"][0];
        assert_eq!(judge["items"]["by_status"], json!({"completed": 10_000}));
        assert_eq!(
            judge["items"]["values"],
            json!([{"value": "eligible", "count": 7_500}, {"value": "denied", "count": 2_500}])
        );
        assert_eq!(judge["items"]["other_values"], 0);
        let durations = &judge["duration_ms"];
        let number = |name: &str| durations[name].as_f64().unwrap();
        assert!(number("min") <= number("median") && number("median") <= number("max"));
        assert!(number("sum") >= number("max"));
        let copy = &report["steps"][1]["items"];
        assert_eq!((copy["values"].as_array().unwrap().len(), &copy["other_values"]), (20, &json!(30)));
        assert_eq!(report["steps"][2]["items"], Value::Null);
        app.api.get("runs/0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41/report").await.problem(404);
    })
    .await;
}

#[tokio::test]
async fn what_has_not_begun_is_told_as_well() {
    with_app(async |app| {
        app.api
            .workflow(
                "w",
                json!([
                    {"name": "wait", "type": "wait", "config": {"signal": "go"}},
                    {"name": "all", "type": "map", "config": {"items": "${[1]}",
                        "step": {"type": "transform", "config": {"value": 1}}}},
                ]),
            )
            .await;
        let id = app.api.start("w", json!({})).await;
        app.api.reaches(&id, "waiting").await;
        let report = app.api.get(&format!("runs/{id}/report")).await.of(200).body;
        assert_eq!(
            report["steps_by_status"],
            json!({"pending": 1, "waiting": 1})
        );
        assert_eq!(report["duration_ms"], Value::Null);
        assert_eq!(report["steps"][1]["items"]["total"], 0);
        app.api
            .post(&format!("runs/{id}/cancel"), json!({}))
            .await
            .of(202);
        app.api.finished(&id).await;
        let report = app.api.get(&format!("runs/{id}/report")).await.of(200).body;
        assert_eq!(report["steps"][1]["status"], "skipped");
    })
    .await;
}
