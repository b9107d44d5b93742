//! The client against a small server on loopback.

#![allow(clippy::unwrap_used, reason = "tests")]

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use serde_json::Value;

use super::answer::QUOTE_CHARS_MAX;
use super::*;

/// Serves the same raw answer to every connection; returns the URL.
async fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut buffer = [0; 4096];
                let _ = socket.read(&mut buffer).await;
                let _ = socket.write_all(&answer).await;
            });
        }
    });
    url
}

async fn get(url: &str) -> Result<Answer, Failure> {
    let open = Outbound::new(true, 8).unwrap();
    let request = Request {
        method: Method::GET,
        url: open.url(url)?,
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let socket = open.socket(&request.url).await?;
    open.send(socket, request).await
}

#[tokio::test]
async fn an_answer_is_read_whole_and_its_retry_after_is_heard() {
    let url =
        serve(b"HTTP/1.1 503 Busy\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\nno".to_vec()).await;
    let answer = get(&url).await.unwrap();
    assert_eq!(answer.status, 503);
    assert!(answer.may_be_retried());
    assert_eq!(answer.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(answer.quote(), ": no");
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let url =
        serve(b"HTTP/1.1 302 Found\r\nlocation: /x\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
    assert_eq!(get(&url).await.unwrap().status, 302);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_read() {
    let announced = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        PAYLOAD_BYTES_MAX + 1
    );
    let failure = get(&serve(announced.into_bytes()).await).await.unwrap_err();
    assert_eq!(failure.kind, "response_too_large");

    let mut endless = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
    endless.resize(PAYLOAD_BYTES_MAX + 10_000, b'x');
    let failure = get(&serve(endless).await).await.unwrap_err();
    assert_eq!(failure.kind, "response_too_large");
    assert!(!failure.retryable);
}

#[tokio::test]
async fn a_body_over_the_limit_is_not_sent() {
    let open = Outbound::new(true, 8).unwrap();
    let request = Request {
        method: Method::POST,
        url: open.url("http://127.0.0.1:9/").unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from(vec![b'x'; PAYLOAD_BYTES_MAX + 1]),
    };
    let socket = open.socket(&request.url).await.unwrap();
    let failure = open.send(socket, request).await.unwrap_err();
    assert_eq!(failure.kind, "request_too_large");
}

#[tokio::test]
async fn nobody_at_home_may_be_tried_again_and_shows_no_url() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let failure = get(&format!("http://{address}/?secret=1"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, "connect");
    assert!(failure.retryable);
    assert!(!failure.message.contains("secret"), "{}", failure.message);
}

fn answer(kind: Option<&'static str>, body: &'static str) -> Answer {
    let mut headers = HeaderMap::new();
    if let Some(kind) = kind {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    Answer {
        status: 200,
        headers,
        body: Bytes::from_static(body.as_bytes()),
    }
}

#[test]
fn bodies_become_json_where_they_are_json() {
    let json = serde_json::json!({"a": 1});
    assert_eq!(
        answer(Some("application/json; charset=utf-8"), r#"{"a":1}"#)
            .value()
            .unwrap(),
        json
    );
    assert_eq!(
        answer(Some("application/problem+json"), r#"{"a":1}"#)
            .value()
            .unwrap(),
        json
    );
    assert_eq!(answer(None, r#"{"a":1}"#).value().unwrap(), json);
    assert_eq!(
        answer(Some("text/plain"), "1").value().unwrap(),
        Value::from("1")
    );
    assert_eq!(
        answer(Some("application/json"), "{").value().unwrap(),
        Value::from("{")
    );
    assert_eq!(answer(None, "").value().unwrap(), Value::Null);
}

#[test]
fn a_quote_is_short_and_on_one_line() {
    let long: &'static str = Box::leak("é\n".repeat(500).into_boxed_str());
    let quote = answer(None, long).quote();
    assert!(quote.chars().count() <= QUOTE_CHARS_MAX + 3);
    assert!(!quote.contains('\n'));
}

#[test]
fn a_client_is_made_and_refuses_private_addresses_by_default() {
    let closed = Outbound::new(false, 8).unwrap();
    let failure = closed.url("http://169.254.169.254/").unwrap_err();
    assert_eq!(failure.kind, "egress_refused");
    assert!(!failure.retryable);
    assert_eq!(closed.url("nonsense").unwrap_err().kind, "invalid_url");
    let open = Outbound::new(true, 8).unwrap();
    assert!(open.url("http://127.0.0.1:1/").is_ok());
}

#[tokio::test]
async fn a_name_that_leads_home_is_refused_at_the_connection() {
    let closed = Outbound::new(false, 8).unwrap();
    let request = Request {
        method: Method::GET,
        url: closed.url("http://localhost:9/").unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::new(),
    };
    let socket = closed.socket(&request.url).await.unwrap();
    let failure = closed.send(socket, request).await.unwrap_err();
    assert_eq!(failure.kind, "egress_refused", "{}", failure.message);
}
