//! A client of server-sent events, as plain as the standard lets it be.

use std::collections::VecDeque;

use reqwest::{Method, Response};
use serde_json::Value;

use crate::harness::{Client, PATIENCE};

/// One message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) event: String,
    pub(super) data: Value,
}

/// An open stream.
#[derive(Debug)]
pub(super) struct Stream {
    response: Response,
    rest: String,
    ready: VecDeque<Message>,
}

impl Stream {
    /// Opens one, after the message with this id.
    pub(super) async fn open(api: &Client, path: &str, last: Option<&str>) -> Self {
        let mut request = api.request(Method::GET, path);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            response,
            rest: String::new(),
            ready: VecDeque::new(),
        }
    }

    /// The next message; `None` at the end of the stream.
    pub(super) async fn next(&mut self) -> Option<Message> {
        let reading = tokio::time::timeout(PATIENCE, self.read());
        reading.await.expect("the stream says something")
    }

    async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some(message) = self.ready.pop_front() {
                return Some(message);
            }
            let chunk = self.response.chunk().await.unwrap()?;
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = self.rest.find("\n\n") {
                let block: String = self.rest.drain(..end + 2).collect();
                self.ready.extend(message(&block));
            }
        }
    }

    /// The types of all messages until the end.
    pub(super) async fn types(&mut self) -> Vec<String> {
        let mut types = Vec::new();
        while let Some(message) = self.next().await {
            types.push(message.event);
        }
        types
    }
}

fn message(block: &str) -> Option<Message> {
    let field = |name: &str| {
        let mut lines = block.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(": ")?.to_owned()))
    };
    let data: Value = serde_json::from_str(&field("data")?).unwrap();
    let event = field("event")?;
    assert_eq!(data["type"], event.as_str());
    Some(Message {
        id: field("id")?,
        event,
        data,
    })
}
