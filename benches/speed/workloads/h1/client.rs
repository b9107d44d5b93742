//! A client that costs as little as possible, because it shares the cores with what it measures:
//! one connection, one request written once, and of the answer only what must be known.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const BODY: &str = r#"{"input":{"user":"Ada"}}"#;
/// Bytes of the longest answer that is expected.
const ANSWER_MAX: usize = 16 << 10;

#[derive(Debug)]
pub(super) struct Client {
    stream: TcpStream,
    request: String,
    answer: Vec<u8>,
}

impl Client {
    pub(super) async fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "POST /api/v1/workflows/chain1/execute HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        );
        Self {
            stream,
            request,
            answer: vec![0; ANSWER_MAX],
        }
    }

    /// Starts a run; returns when it is answered with 202.
    pub(super) async fn post(&mut self) {
        self.stream
            .write_all(self.request.as_bytes())
            .await
            .unwrap();
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.answer[filled..]).await.unwrap();
            assert!(read > 0, "the API closed the connection");
            filled += read;
            let answer = &self.answer[..filled];
            let Some(head) = head_of(answer) else {
                continue;
            };
            assert!(
                answer.starts_with(b"HTTP/1.1 202 "),
                "{}",
                String::from_utf8_lossy(answer)
            );
            let length = length_of(head).expect("the answer says how long it is");
            if filled >= head.len() + length {
                return;
            }
        }
    }
}

/// The head of an answer with the empty line after it, once that has come.
fn head_of(answer: &[u8]) -> Option<&str> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    std::str::from_utf8(&answer[..end + 4]).ok()
}

fn length_of(head: &str) -> Option<usize> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse().ok())?
    })
}
