//! One listener: reads a stream of server-sent events, and tells how old each event was.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use serde_json::Value;

/// An open stream.
#[derive(Debug)]
pub(super) struct Listener {
    response: reqwest::Response,
    rest: String,
    ready: VecDeque<(String, f64)>,
}

impl Listener {
    pub(super) async fn open(port: u16, path: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let url = format!("http://127.0.0.1:{port}/api/v1/{path}");
        let response = http.get(url).send().await.unwrap();
        assert!(
            response.status().is_success(),
            "{path}: {}",
            response.status()
        );
        Self {
            response,
            rest: String::new(),
            ready: VecDeque::new(),
        }
    }

    /// Reads until an event of this type has come.
    pub(super) async fn until(&mut self, kind: &str) {
        while let Some((found, _)) = self.next().await {
            if found == kind {
                return;
            }
        }
        panic!("the stream ended before {kind}");
    }

    /// The milliseconds of so many events, or of all until the end.
    pub(super) async fn latencies(&mut self, count: usize) -> Vec<f64> {
        let mut latencies = Vec::new();
        while latencies.len() < count
            && let Some((_, ms)) = self.next().await
        {
            latencies.push(ms);
        }
        latencies
    }

    async fn next(&mut self) -> Option<(String, f64)> {
        while self.ready.is_empty() {
            let chunk = self.response.chunk().await.unwrap()?;
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
            self.rest.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = self.rest.find("\n\n") {
                let block: String = self.rest.drain(..end + 2).collect();
                let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) else {
                    continue;
                };
                let data: Value = serde_json::from_str(data).unwrap();
                let time: DateTime<Utc> = data["time"].as_str().unwrap().parse().unwrap();
                // Told to the millisecond, rounded down: what is shown is at most that much too long.
                let ms = now.as_secs_f64() * 1e3 - time.timestamp_millis() as f64;
                self.ready
                    .push_back((data["type"].as_str().unwrap().to_owned(), ms));
            }
        }
        self.ready.pop_front()
    }
}
