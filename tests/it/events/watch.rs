//! `stepwell run watch`: a line for each event, each once, also when the server goes away meanwhile.

use serde_json::{Value, json};

use super::sse::waiting;
use crate::harness::{PATIENCE, Process, until, with_app};

#[tokio::test]
async fn a_watch_goes_on_after_the_server_was_away() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let id = app.api.start("w", json!({})).await;
        let server = app.api.url("/");
        let arguments = ["run", "watch", &id, "--json", "--server", &server];
        let mut watch = Process::spawn("watch", &arguments, &[]);
        watch.said("step.waiting").await;
        let mut up = app.processes.pop().unwrap();
        assert!(up.stop().await.success(), "{}", up.log());
        app.up().await;
        let signal = format!("runs/{id}/signals/go");
        app.api.post(&signal, json!({})).await.of(202);
        let status = watch.exit_within(PATIENCE).await;
        assert!(status.success(), "{}", watch.log());
        let output = watch.output();
        let lines: Vec<Value> = output
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let (run, events) = lines.split_last().unwrap();
        assert_eq!(run["status"], "completed");
        let told: Vec<_> = events
            .iter()
            .map(|event| event["sequence"].clone())
            .collect();
        let trail = app.api.audit(&id).await;
        let all: Vec<_> = trail
            .iter()
            .map(|record| record["sequence"].clone())
            .collect();
        assert_eq!(told, all);
    })
    .await;
}

#[tokio::test]
async fn a_watch_of_nothing_fails() {
    with_app(async |app| {
        let server = app.api.url("/");
        let nobody = "01890000-0000-7000-8000-000000000000";
        let arguments = ["run", "watch", nobody, "--server", &server];
        let mut watch = Process::spawn("watch", &arguments, &[]);
        let code = until("it ends", PATIENCE, async || watch.ended())
            .await
            .code();
        assert_eq!(code, Some(1), "{}", watch.log());
        assert!(watch.log().contains("There is no run"), "{}", watch.log());
    })
    .await;
}
