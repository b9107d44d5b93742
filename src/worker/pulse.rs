//! Whether an agent lives: it is asked now, under the rules for every call to the world.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use stepwell_queue::agent::AgentTarget;
use stepwell_workflow::Failure;

use super::RuntimeError;
use super::outbound::sockets::SHORTAGE;
use super::outbound::{Outbound, Request};
use super::steps::authenticate;

/// Agents that are asked at once, at most: `descriptors` sets so many sockets aside.
const SOCKETS: usize = 32;

/// Asks agents how they are.
#[derive(Clone, Debug)]
pub struct Pulse(Outbound);

/// What came of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It answered with this HTTP status.
    Answered { status: u16 },
    /// It did not answer in time, or not at all.
    Silent,
    /// It may not be called, or cannot be: why.
    Refused(String),
}

impl Pulse {
    /// Makes the client; `allow_private_networks` as in [`super::WorkerSettings`].
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(allow_private_networks: bool) -> Result<Self, RuntimeError> {
        Outbound::new(allow_private_networks, SOCKETS)
            .map(Self)
            .map_err(RuntimeError::Outbound)
    }

    /// Returns the HTTP client, for an address that the operator has named and no definition.
    #[must_use]
    pub fn client(&self) -> reqwest::Client {
        self.0.client()
    }

    /// GETs `health_path` on the agent's host, or else the agent's own URL, with its credentials.
    pub async fn ask(
        &self,
        target: &AgentTarget,
        health_path: Option<&str>,
        request_id: &str,
        patience: Duration,
    ) -> Heard {
        let request = match self.request(target, health_path, request_id) {
            Ok(request) => request,
            Err(failure) => return heard(&failure),
        };
        let socket = match self.0.socket(&request.url).await {
            Ok(socket) => socket,
            Err(failure) => return heard(&failure),
        };
        match tokio::time::timeout(patience, self.0.send(socket, request)).await {
            Ok(Ok(answer)) => Heard::Answered {
                status: answer.status,
            },
            Ok(Err(failure)) => heard(&failure),
            Err(_) => Heard::Silent,
        }
    }

    fn request(
        &self,
        target: &AgentTarget,
        health_path: Option<&str>,
        request_id: &str,
    ) -> Result<Request, Failure> {
        let mut url = self.0.url(&target.url)?;
        if let Some(path) = health_path {
            // Not joined: some paths name another host, and the agent's credentials would go there.
            let (path, query) = path
                .split_once('?')
                .map_or((path, None), |(path, query)| (path, Some(query)));
            url.set_path(path);
            url.set_query(query);
        }
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(request_id) {
            headers.insert(HeaderName::from_static("x-request-id"), value);
        }
        authenticate(&mut headers, target)?;
        Ok(Request {
            method: Method::GET,
            url: self.0.url(url.as_str())?,
            headers,
            body: bytes::Bytes::new(),
        })
    }
}

fn heard(failure: &Failure) -> Heard {
    match failure.kind.as_str() {
        "egress_refused" | "invalid_url" | "invalid_request" | SHORTAGE => {
            Heard::Refused(failure.message.clone())
        }
        "response_too_large" => Heard::Silent,
        _ => {
            tracing::debug!(error = failure.message, "the agent does not answer");
            Heard::Silent
        }
    }
}
