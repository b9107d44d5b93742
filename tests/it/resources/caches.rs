//! What one process remembers, another may change: it is seen at once.

use serde_json::json;

use crate::harness::{App, PATIENCE, until};

#[tokio::test]
async fn a_change_by_one_api_is_seen_at_once_by_another() {
    let mut app = App::separate(1, &[]).await;
    let other = app.another_api().await;
    let steps =
        |value: i64| json!([{"name": "t", "type": "transform", "config": {"value": value}}]);
    app.api.workflow("w", steps(0)).await;
    // Both have it in memory, and a memory lasts for five seconds.
    other.execute("w", json!({})).await;
    for version in 1..=5 {
        let body = json!({"name": "w", "steps": steps(version)});
        app.api.put("workflows/w", body).await.of(200);
        let begun = std::time::Instant::now();
        until("the other API runs the new version", PATIENCE, async || {
            let run = other.execute("w", json!({})).await;
            (run["output"] == version).then_some(())
        })
        .await;
        assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
    }
    app.finish().await;
}
