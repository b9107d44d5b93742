//! Clients that mean harm, or know no better.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{ask, guarded, key};
use crate::harness::App;

const IDLE: usize = 1_000;
/// What a thousand idle connections may cost: 64 KiB each.
const IDLE_KIB_MAX: i64 = IDLE as i64 * 64;

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(("127.0.0.1", app.port)).await.unwrap()
}

/// What the API holds in memory, in KiB.
fn resident(app: &App) -> i64 {
    let pid = app.processes[0].pid();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn idle_connections_hold_up_neither_others_nor_the_end() {
    let mut app = guarded(&[]).await;
    let viewer = key(&app, "eyes", "viewer").await;
    let before = resident(&app);
    let mut idle = Vec::new();
    for n in 0..IDLE {
        let mut stream = connect(&app).await;
        // Every tenth has had an answer, and rests.
        if n % 10 == 0 {
            stream
                .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
                .await
                .unwrap();
            let mut piece = [0; 1_024];
            assert!(stream.read(&mut piece).await.unwrap() > 0);
        }
        idle.push(stream);
    }
    ask(&app.api, Method::GET, "runs", &viewer).await.of(200);
    let grown = resident(&app) - before;
    assert!(
        grown < IDLE_KIB_MAX,
        "{IDLE} idle connections take {grown} KiB"
    );
    let since = Instant::now();
    let status = app.processes[0].stop().await;
    assert_eq!(status.code(), Some(0), "{}", app.processes[0].log());
    assert!(
        since.elapsed() < Duration::from_secs(5),
        "it took {:?}",
        since.elapsed()
    );
    app.finish().await;
}

#[tokio::test]
async fn a_stranger_is_sent_away_before_the_body() {
    let app = guarded(&[]).await;
    let before = resident(&app);
    let mut stream = connect(&app).await;
    let head = "POST /api/v1/agents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 104857600\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // It sends 100 MB, or as much of it as is taken.
    for _ in 0..100 {
        if stream.write_all(&vec![b' '; 1 << 20]).await.is_err() {
            break;
        }
    }
    let mut told = Vec::new();
    let mut piece = [0; 4_096];
    while !String::from_utf8_lossy(&told).contains("\r\n\r\n") {
        match stream.read(&mut piece).await {
            Ok(count) if count > 0 => told.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.is_empty() || told.starts_with("HTTP/1.1 401 "),
        "{told}"
    );
    let grown = resident(&app) - before;
    assert!(
        grown < 50 << 10,
        "{grown} KiB for a body that nobody wanted"
    );
    // As an answer that is surely heard.
    let whole = app
        .api
        .request(Method::POST, "agents")
        .header("x-api-key", "swk_wrong");
    let whole = app
        .api
        .send(whole.body(vec![b' '; 1 << 20]))
        .await
        .problem(401);
    assert!(!whole.raw.contains("swk_wrong"), "{}", whole.raw);
    app.finish().await;
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let app = guarded(&[]).await;
    let fields: String = (0..10_000).map(|n| format!("x-{n}: y\r\n")).collect();
    let mut stream = connect(&app).await;
    let request = format!("GET /api/v1/runs HTTP/1.1\r\nhost: localhost\r\n{fields}\r\n");
    let _ = stream.write_all(request.as_bytes()).await;
    let mut told = Vec::new();
    let _ = stream.read_to_end(&mut told).await;
    let told = String::from_utf8_lossy(&told);
    assert!(
        told.is_empty() || told.starts_with("HTTP/1.1 431 "),
        "{told}"
    );
    let key = "swk_".to_owned() + &"x".repeat(30_000);
    let long = ask(&app.api, Method::GET, "runs", &key).await;
    assert!(matches!(long.status, 401 | 431), "{}", long.status);
    app.api.get("/health").await.of(200);
    app.finish().await;
}
