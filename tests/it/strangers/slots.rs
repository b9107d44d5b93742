//! Unfinished requests: those of strangers hold nothing, and those of one principal leave room for others.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::auth::{KEYS, key};
use crate::harness::{App, PATIENCE, until};

/// What one principal may have in work, and some more.
const SHARE: usize = 1_024;

/// A refusal comes at once; a request in work says nothing.
const SOON: std::time::Duration = std::time::Duration::from_millis(500);

async fn begin(app: &App, path: &str, more: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", app.port)).await.unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: 100\r\n{more}\r\n{{"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

async fn status(stream: &mut TcpStream) -> String {
    let mut begin = [0; 12];
    let read = stream.read_exact(&mut begin);
    tokio::time::timeout(PATIENCE, read).await.unwrap().unwrap();
    String::from_utf8_lossy(&begin).into_owned()
}

#[tokio::test]
async fn unfinished_requests_of_one_leave_room_for_the_others() {
    let app = App::separate(0, &[KEYS]).await;
    let greedy = key(&app, "greedy", "operator").await;
    let other = key(&app, "other", "viewer").await;
    let mut held = Vec::new();
    let key_of_greedy = format!("x-api-key: {greedy}\r\n");
    // As many as a share has, and more for those that are cut off meanwhile where this takes long.
    until("the share is spent", PATIENCE, async || {
        for _ in 0..SHARE {
            let mut one = begin(&app, "/api/v1/runs", &key_of_greedy).await;
            if held.len() >= SHARE {
                let answered = tokio::time::timeout(SOON, status(&mut one)).await;
                if answered.is_ok_and(|status| status == "HTTP/1.1 503") {
                    return Some(());
                }
            }
            held.push(one);
        }
        None
    })
    .await;
    app.api.with_key(&other).get("runs").await.of(200);
    // Neither do strangers wait, or hold anything.
    for _ in 0..50 {
        let mut stranger = begin(&app, "/api/v1/callbacks/x", "").await;
        let status = status(&mut stranger).await;
        assert!(
            status == "HTTP/1.1 404" || status == "HTTP/1.1 429",
            "{status}"
        );
    }
    app.api.get("/health/live").await.of(200);
    app.api.get("/health/ready").await.of(200);
    drop(held);
    until("the slots are free again", PATIENCE, async || {
        let answer = app.api.with_key(&greedy).post("runs", json!({})).await;
        (answer.status != 503).then_some(())
    })
    .await;
    app.finish().await;
}
