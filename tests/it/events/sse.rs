//! Server-sent events: in order, again after a break, to the end, and nobody waits for the slow.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::stream::Stream;
use crate::harness::{PATIENCE, with_app};

/// A workflow that waits for the signal `go` and then transforms.
pub(super) fn waiting() -> serde_json::Value {
    json!([
        {"name": "ask", "type": "wait", "config": {"signal": "go"}},
        {"name": "after", "type": "transform", "config": {"value": "${steps.ask.output}"}},
    ])
}

#[tokio::test]
async fn a_run_is_told_to_its_end_and_again_from_any_place() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let id = app.api.start("w", json!({})).await;
        let path = format!("runs/{id}/events");
        let mut stream = Stream::open(&app.api, &path, None).await;
        let first = stream.next().await.unwrap();
        assert_eq!(
            (first.id.as_str(), first.event.as_str()),
            ("1", "run.created")
        );
        assert_eq!(first.data["run_id"], id.as_str());
        assert_eq!(first.data["workflow"], "w");
        assert_eq!(first.data["status"], "pending");
        loop {
            let message = stream.next().await.unwrap();
            if message.event == "step.waiting" {
                assert_eq!(message.data["step"], "ask");
                break;
            }
        }
        let go = json!({"payload": 7});
        app.api
            .post(&format!("runs/{id}/signals/go"), go)
            .await
            .of(202);
        let rest = stream.types().await;
        assert_eq!(
            rest,
            [
                "signal.received",
                "step.completed",
                "step.completed",
                "run.completed"
            ]
        );
        let whole = app.api.audit(&id).await;
        let mut again = Stream::open(&app.api, &path, Some("2")).await;
        for record in &whole[2..] {
            let message = again.next().await.unwrap();
            assert_eq!(message.id, record["sequence"].to_string());
            assert_eq!(message.data["type"], record["action"]);
            assert_eq!(message.data["detail"], record["detail"]);
        }
        assert!(again.next().await.is_none());
        // Nothing will come: a browser is told not to ask again.
        let end = whole.len().to_string();
        let request = app.api.request(reqwest::Method::GET, &path);
        let over = app.api.send(request.header("Last-Event-ID", &end)).await;
        assert_eq!(over.status, 204);
        let more = format!("{path}?last_event_id={}", whole.len() - 1);
        let mut more = Stream::open(&app.api, &more, None).await;
        assert_eq!(more.types().await, ["run.completed"]);
    })
    .await;
}

#[tokio::test]
async fn a_retried_run_goes_on_after_its_failure() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let id = app.api.start("w", json!({})).await;
        let path = format!("runs/{id}/events");
        app.api.post(&format!("runs/{id}/cancel"), json!({})).await;
        app.api.finished(&id).await;
        let first = Stream::open(&app.api, &path, None).await.types().await;
        assert_eq!(first.last().unwrap(), "run.cancelled");
        app.api
            .post(&format!("runs/{id}/retry"), json!({}))
            .await
            .of(202);
        let mut stream = Stream::open(&app.api, &path, None).await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        let types = stream.types().await;
        assert_eq!(types[..first.len()], first);
        assert_eq!(types[first.len()], "run.retry_requested");
        assert_eq!(types.last().unwrap(), "run.completed");
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused() {
    with_app(async |app| {
        let nobody = "01890000-0000-7000-8000-000000000000";
        app.api.get(&format!("runs/{nobody}/events")).await.of(404);
        app.api.get("runs/x/events").await.of(404);
        app.api.workflow("w", waiting()).await;
        let id = app.api.start("w", json!({})).await;
        for path in [format!("runs/{id}/events"), "events".to_owned()] {
            for last in ["x", "-1", "99999999999999999999", "MTox"] {
                let request = app.api.request(reqwest::Method::GET, &path);
                let answer = app.api.send(request.header("Last-Event-ID", last)).await;
                assert_eq!(answer.status, 400, "{path} {last}");
            }
            app.api.get(&format!("{path}?color=red")).await.of(400);
        }
        let cancel = format!("runs/{id}/cancel");
        app.api.post(&cancel, json!({})).await.of(202);
    })
    .await;
}

#[tokio::test]
async fn everything_is_told_filtered_and_again_after_a_break() {
    with_app(async |app| {
        let value = json!([{"name": "s", "type": "transform", "config": {"value": 1}}]);
        let path = "events?workflow=a&type=run.completed&type=run.created";
        let mut all = Stream::open(&app.api, "events", None).await;
        let mut some = Stream::open(&app.api, path, None).await;
        app.api.workflow("a", value.clone()).await;
        app.api.workflow("b", value).await;
        let mut runs = Vec::new();
        for name in ["a", "b", "a"] {
            runs.push(app.api.execute(name, json!({})).await["id"].clone());
        }
        let mut ids = Vec::new();
        for run in [&runs[0], &runs[2]] {
            for kind in ["run.created", "run.completed"] {
                let message = some.next().await.unwrap();
                assert_eq!(
                    (&message.data["run_id"], message.event.as_str()),
                    (run, kind)
                );
                ids.push(message.id);
            }
        }
        let created = all.next().await.unwrap();
        assert_eq!(created.event, "workflow.created");
        assert_eq!(created.data["run_id"], json!(null));
        // After the break it goes on where it was, as if nothing had been.
        drop(some);
        let mut again = Stream::open(&app.api, path, Some(&ids[1])).await;
        for kind in ["run.created", "run.completed"] {
            let message = again.next().await.unwrap();
            assert_eq!(
                (&message.data["run_id"], message.event.as_str()),
                (&runs[2], kind)
            );
        }
        let last = app.api.execute("a", json!({})).await;
        assert_eq!(again.next().await.unwrap().data["run_id"], last["id"]);
    })
    .await;
}

#[tokio::test]
async fn a_listener_that_does_not_read_delays_nobody() {
    with_app(async |app| {
        let steps = json!([
            {"name": "ask", "type": "wait", "config": {"signal": "go"}},
            {"name": "m", "type": "map", "config": {"items": "${input.items}",
             "step": {"type": "transform", "config": {"value": "${item}"}}}},
        ]);
        app.api.workflow("w", steps).await;
        let items: Vec<u32> = (0..1_000).collect();
        let id = app.api.start("w", json!({"items": items})).await;
        let path = format!("runs/{id}/events");
        let mut slow = TcpStream::connect(("127.0.0.1", app.port)).await.unwrap();
        let head =
            format!("GET /api/v1/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        slow.write_all(head.as_bytes()).await.unwrap();
        let mut quick = Stream::open(&app.api, &path, None).await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        let types = quick.types().await;
        assert!(types.len() > 1_000, "{}", types.len());
        // Now it reads, and has missed nothing.
        let mut text = String::new();
        let read = tokio::time::timeout(PATIENCE, slow.read_to_string(&mut text));
        read.await.unwrap().unwrap();
        let told = text.lines().filter(|line| line.starts_with("event: "));
        let told: Vec<_> = told
            .map(|line| line["event: ".len()..].to_owned())
            .collect();
        assert_eq!(told, types);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    with_app(async |app| {
        app.api.workflow("w", waiting()).await;
        let id = app.api.start("w", json!({})).await;
        let path = format!("runs/{id}/events");
        let mut one = Stream::open(&app.api, &path, None).await;
        let mut all = Stream::open(&app.api, "events", None).await;
        assert_eq!(one.next().await.unwrap().id, "1");
        let mut server = app.processes.pop().unwrap();
        server.signal(nix::sys::signal::Signal::SIGTERM);
        let status = server.exit_within(Duration::from_secs(15)).await;
        assert!(status.success(), "{}", server.log());
        let (mut seen, mut last) = (1, String::from("1"));
        while let Some(message) = one.next().await {
            (seen, last) = (seen + 1, message.id);
        }
        assert_eq!(last, seen.to_string());
        while all.next().await.is_some() {}
        // The next process goes on with it.
        app.up().await;
        let mut again = Stream::open(&app.api, &path, Some(&last)).await;
        app.api
            .post(&format!("runs/{id}/signals/go"), json!({}))
            .await
            .of(202);
        assert_eq!(again.types().await.last().unwrap(), "run.completed");
    })
    .await;
}
