//! What a person reads of a run.

use serde_json::json;

use super::{answers, stepwell};
use crate::harness::process::{EXIT_OK, EXIT_USAGE};
use crate::harness::with_app;

#[tokio::test]
async fn a_run_is_shown_with_what_it_waits_for_and_why_it_ended() {
    with_app(async |app| {
        let steps = json!([
            {"name": "first", "type": "transform", "config": {"value": 1}},
            {"name": "ask", "type": "wait", "config": {"signal": "go"}},
        ]);
        app.api.workflow("w", steps).await;
        let id = app.api.start("w", json!({})).await;
        app.api.reaches(&id, "waiting").await;
        let shown = async || {
            let (code, process) = stepwell(app, &["run", "get", &id]).await;
            assert_eq!(code, Some(EXIT_OK), "{}", process.log());
            process.output()
        };
        let waiting = shown().await;
        for words in ["waits     for signal go", "created   2", "started   2"] {
            assert!(waiting.contains(words), "{waiting}");
        }
        let cancel = ["run", "cancel", &id, "--reason", "enough", "--json"];
        answers(app, &cancel).await;
        app.api.finished(&id).await;
        let over = shown().await;
        for words in ["finished  2", "cancelled by anonymous", "reason    enough"] {
            assert!(over.contains(words), "{over}");
        }
        let both = ["run", "retry", &id, "--reset", "--from-step", "ask"];
        assert_eq!(stepwell(app, &both).await.0, Some(EXIT_USAGE));
        let retried = answers(app, &["run", "retry", &id, "--reset", "--json"]).await;
        assert_eq!(retried["generation"], 2);
        app.api.reaches(&id, "waiting").await;
        let trail = app.api.audit(&id).await;
        let firsts = trail.iter().filter(|one| one["action"] == "step.completed");
        assert_eq!(firsts.count(), 2, "also what had completed: {trail:?}");
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        app.api.finished(&id).await;
    })
    .await;
}
