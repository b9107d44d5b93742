//! Clients that send slowly, or nothing, or too much of a head, hold up nobody but themselves.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell_web::agents::health::{AskAgents, Heard, Question};
use stepwell_web::{Hosts, Patience, WebOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::harness::PATIENCE;

/// Short, so that the tests are; each is another, so that each is seen.
const SHORT: Patience = Patience {
    head: Duration::from_millis(600),
    body_gap: Duration::from_millis(400),
    idle: Duration::from_millis(1_500),
};
/// Idle at the same time. Both ends of each are in this process, whose descriptors are bounded.
const MANY: usize = 300;

/// Asks no agents: there are none.
#[derive(Debug)]
struct Nobody;

impl AskAgents for Nobody {
    fn ask(&self, _question: Question) -> BoxFuture<'static, Heard> {
        Box::pin(async { Heard::Silent })
    }
}

/// The API in this process, without a database; it ends with the test.
async fn serve() -> u16 {
    let absent = StoreOptions::new("postgres://nobody@127.0.0.1:9/none".to_owned());
    let options = WebOptions {
        hosts: Hosts::default(),
        listen: "127.0.0.1:0".parse().unwrap(),
        stop_grace: Duration::ZERO,
        environment: "test".into(),
        patience: SHORT,
        auth: stepwell_web::auth::AuthOptions::Open,
    };
    let store = Store::open(absent).unwrap();
    let bound = stepwell_web::bind(options, store, Arc::new(Nobody), CancellationToken::new())
        .await
        .unwrap();
    let port = bound.address().port();
    tokio::spawn(bound.serve());
    port
}

async fn connect(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).await.unwrap()
}

/// Reads until the server closes; gives what it said.
async fn to_the_end(stream: &mut TcpStream) -> String {
    let mut told = Vec::new();
    // A reset is an end as well.
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut told))
        .await
        .expect("the server closes the connection");
    String::from_utf8_lossy(&told).into_owned()
}

async fn is_answered(port: u16) {
    let mut stream = connect(port).await;
    let request = "GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let told = to_the_end(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
}

#[tokio::test]
async fn a_head_that_comes_drop_by_drop_is_cut_off() {
    let port = serve().await;
    let mut stream = connect(port).await;
    let begun = Instant::now();
    let mut sent = 0;
    for byte in "GET /health/live HTTP/1.1\r\nhost: localhost\r\nx-slow: "
        .bytes()
        .chain([b'y'; 4_096])
    {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        sent += 1;
        // A drop does not make it start anew.
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(begun.elapsed() < PATIENCE, "still open after {sent} bytes");
    }
    assert_eq!(to_the_end(&mut stream).await, "");
    assert!(begun.elapsed() >= SHORT.head, "after {:?}", begun.elapsed());
    assert!(sent < 1_000, "{sent} bytes");
    is_answered(port).await;
}

#[tokio::test]
async fn connections_that_say_nothing_are_closed_and_others_are_served() {
    let port = serve().await;
    let mut silent = Vec::new();
    for _ in 0..MANY {
        silent.push(connect(port).await);
    }
    is_answered(port).await;
    for mut stream in silent {
        assert_eq!(to_the_end(&mut stream).await, "");
    }
}

#[tokio::test]
async fn a_connection_that_rests_too_long_is_closed() {
    let port = serve().await;
    let mut stream = connect(port).await;
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let begun = Instant::now();
    let told = to_the_end(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
    assert!(begun.elapsed() >= SHORT.head, "after {:?}", begun.elapsed());
}

#[tokio::test]
async fn a_body_that_does_not_come_is_a_problem() {
    let port = serve().await;
    let mut stream = connect(port).await;
    let head = "POST /api/v1/agents HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 100\r\n\r\n{\"name\"";
    stream.write_all(head.as_bytes()).await.unwrap();
    let told = to_the_end(&mut stream).await;
    assert!(told.starts_with("HTTP/1.1 400 "), "{told}");
    assert!(told.contains("could not be read to its end"), "{told}");
}

#[tokio::test]
async fn a_head_with_ten_thousand_fields_is_refused() {
    let port = serve().await;
    for head in [
        (0..10_000)
            .map(|n| format!("x-{n}: y\r\n"))
            .collect::<String>(),
        format!("x: {}\r\n", "y".repeat(70_000)),
    ] {
        let mut stream = connect(port).await;
        let request = format!("GET /health/live HTTP/1.1\r\nhost: localhost\r\n{head}\r\n");
        // It may be refused before it is sent whole.
        let _ = stream.write_all(request.as_bytes()).await;
        let told = to_the_end(&mut stream).await;
        assert!(
            told.starts_with("HTTP/1.1 431 ") || told.is_empty(),
            "{told}"
        );
    }
    is_answered(port).await;
}
