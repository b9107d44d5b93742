//! A body that is too large is answered, and the client hears the answer although it is still sending.

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{App, with_app};

/// Limits of the service that are spoken of here.
const MEBIBYTE: usize = 1 << 20;
const ROUTE: &str = "/api/v1/workflows/w/execute";

async fn connect(app: &App) -> TcpStream {
    TcpStream::connect(("127.0.0.1", app.port)).await.unwrap()
}

/// Reads to the end of an answer that says how long it is.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                return text;
            }
        }
        let mut piece = [0; 4_096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(count > 0, "it ends in the middle: {text:?}");
        read.extend_from_slice(&piece[..count]);
    }
}

/// Sends a whole request before it reads one byte, as simple clients do.
async fn send_then_read(app: &App, head: &str, body: impl IntoIterator<Item = Vec<u8>>) -> String {
    let mut stream = connect(app).await;
    stream.write_all(head.as_bytes()).await.unwrap();
    for piece in body {
        stream
            .write_all(&piece)
            .await
            .expect("the connection takes the whole body");
    }
    let first = answer(&mut stream).await;
    // The rest was read: the connection is as good as new.
    stream
        .write_all(b"GET /version HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .unwrap();
    let next = answer(&mut stream).await;
    assert!(next.starts_with("HTTP/1.1 200 "), "{next}");
    first
}

fn head(path: &str, more: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{more}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_client_that_sends_it_all_hears_413() {
    with_app(async |app| {
        for size in [5, 20] {
            let length = format!("content-length: {}", size * MEBIBYTE);
            let body = (0..size).map(|_| vec![b' '; MEBIBYTE]);
            let told = send_then_read(app, &head(ROUTE, &length), body).await;
            assert!(told.starts_with("HTTP/1.1 413 "), "{size} MiB: {told}");
            assert!(told.contains("urn:stepwell:problem:too-large"), "{told}");
        }
    })
    .await;
}

fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

#[tokio::test]
async fn so_does_one_that_does_not_say_how_much_comes() {
    with_app(async |app| {
        let steps = json!([{"name": "t", "type": "transform", "config": {"value": 1}}]);
        app.api.workflow("w", steps).await;
        let mut body = vec![chunk(&vec![b' '; MEBIBYTE]); 20];
        body.push(chunk(b""));
        let told = send_then_read(app, &head(ROUTE, "transfer-encoding: chunked"), body).await;
        assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
        let fits = [r#"{"input": {"text": "in "#, r#"pieces"}}"#, ""];
        let fits = fits.map(|piece| chunk(piece.as_bytes()));
        let told = send_then_read(app, &head(ROUTE, "transfer-encoding: chunked"), fits).await;
        assert!(told.starts_with("HTTP/1.1 202 "), "{told}");
        assert!(told.contains("in pieces"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn a_body_that_nobody_wants_is_no_broken_connection() {
    with_app(async |app| {
        let length = format!("content-length: {}", 8 * MEBIBYTE);
        for (path, status) in [("/nowhere", 404), ("/version", 405)] {
            let body = (0..8).map(|_| vec![b' '; MEBIBYTE]);
            let told = send_then_read(app, &head(path, &length), body).await;
            assert!(
                told.starts_with(&format!("HTTP/1.1 {status} ")),
                "{path}: {told}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_asks_first_need_not_send_it() {
    with_app(async |app| {
        let mut stream = connect(app).await;
        let more = format!("content-length: {}\r\nexpect: 100-continue", 20 * MEBIBYTE);
        stream
            .write_all(head(ROUTE, &more).as_bytes())
            .await
            .unwrap();
        let told = answer(&mut stream).await;
        assert!(told.starts_with("HTTP/1.1 413 "), "{told}");
    })
    .await;
}
