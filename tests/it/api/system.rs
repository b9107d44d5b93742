//! Health, version, metrics, and the pages.

use crate::harness::{PATIENCE, until, with_app};

#[tokio::test]
async fn health_says_that_all_is_well() {
    with_app(async |app| {
        let health = app.api.get("/health").await.of(200).body;
        assert_eq!(health["status"], "healthy");
        assert_eq!(health["database"], "connected");
        app.api.get("/health/live").await.of(200);
        app.api.get("/health/ready").await.of(200);
    })
    .await;
}

#[tokio::test]
async fn version_says_what_runs() {
    with_app(async |app| {
        let version = app.api.get("/version").await.of(200).body;
        assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
        assert!(
            version["commit"].is_string() && version["environment"].is_string(),
            "{version}"
        );
    })
    .await;
}

#[tokio::test]
async fn metrics_are_prometheus_text() {
    with_app(async |app| {
        app.api.get("/health").await.of(200);
        let metrics = app.api.get("/metrics").await.of(200);
        assert!(
            metrics
                .header("content-type")
                .starts_with("application/openmetrics-text")
                || metrics.header("content-type").starts_with("text/plain"),
            "{metrics:?}"
        );
        let lines = metrics.raw.lines().filter(|line| !line.starts_with('#'));
        let mut count = 0;
        for line in lines {
            let (name, value) = line.rsplit_once(' ').unwrap_or_default();
            assert!(name.starts_with("stepwell_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            count += 1;
        }
        assert!(count > 0, "no metric: {}", metrics.raw);
    })
    .await;
}

#[tokio::test]
async fn a_process_that_stops_is_not_ready() {
    with_app(async |app| {
        let agent = crate::harness::Agent::start().await;
        agent.on("/slow", |_| crate::harness::Reply::held());
        app.api.agent("slow", &agent.url("/slow")).await;
        let steps =
            serde_json::json!([{"name": "s", "type": "agent", "config": {"agent": "slow"}}]);
        app.api.workflow("slow", steps).await;
        let run = app.api.start("slow", serde_json::json!({})).await;
        agent.called("/slow", 1).await;
        app.processes[0].signal(nix::sys::signal::Signal::SIGTERM);
        // Either it still answers, then 503, or it no longer listens.
        until("it is not ready any more", PATIENCE, async || {
            let request = app.api.request(reqwest::Method::GET, "/health/ready");
            request.send().await.map_or(Some(()), |answer| {
                (answer.status().as_u16() == 503).then_some(())
            })
        })
        .await;
        agent.release("/slow");
        assert_eq!(app.processes[0].exit().await.code(), Some(0));
        app.processes.clear();
        app.up().await;
        assert_eq!(app.api.finished(&run).await["status"], "completed");
        assert_eq!(
            agent.calls("/slow").len(),
            1,
            "the step in flight was let end"
        );
    })
    .await;
}

#[tokio::test]
async fn the_start_is_without_complaints() {
    with_app(async |app| {
        app.api.get("/version").await.of(200);
        let log = app.processes[0].log();
        let complaints: Vec<_> = log
            .lines()
            .filter(|line| line.contains("\"WARN\"") || line.contains("\"ERROR\""))
            .collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
    })
    .await;
}
