//! A thin client of the REST API: a request, and its answer or its problem.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::refused::Refused;
use crate::config::Mistake;

/// Longer than the longest `wait_ms` that the API takes.
const TIMEOUT: Duration = Duration::from_secs(90);
/// Silence after which a stream of events is held to be broken: two heartbeats have not come.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Which server.
#[derive(Debug, clap::Args)]
pub(super) struct ServerArgument {
    /// The API to talk to.
    #[arg(
        long,
        env = "STEPWELL_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080",
        global = true
    )]
    server: Url,
    /// The key of the API, where it asks for one.
    #[arg(
        long,
        env = "STEPWELL_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        global = true
    )]
    api_key: Option<SecretString>,
}

/// A connection to one server.
pub(super) struct Client {
    server: Url,
    http: reqwest::Client,
    /// For answers that do not end.
    streams: reqwest::Client,
}

/// An answer with a 2xx status, or the absence of what was asked for.
pub(super) enum Answer {
    Found(Value),
    NotFound(Refused),
}

impl Client {
    pub(super) fn new(argument: &ServerArgument) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .default_headers(credentials(argument.api_key.as_ref())?)
            // The API is called as it is named, not by way of a proxy that the shell knows.
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        let streams = reqwest::Client::builder()
            .connect_timeout(SILENCE_MAX)
            .read_timeout(SILENCE_MAX)
            .default_headers(credentials(argument.api_key.as_ref())?)
            .no_proxy()
            .build()
            .context("cannot make an HTTP client")?;
        Ok(Self {
            server: argument.server.clone(),
            http,
            streams,
        })
    }

    /// Builds an address from path segments, each of which may hold anything.
    pub(super) fn at(&self, segments: &[&str], query: &[(&str, String)]) -> anyhow::Result<Url> {
        let mut url = self.server.clone();
        match url.path_segments_mut() {
            Ok(mut path) => path.pop_if_empty().extend(["api", "v1"]).extend(segments),
            Err(()) => bail!("{} is not the address of a server", self.server),
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When the server cannot be reached, and any answer but 2xx and 404.
    pub(super) async fn ask(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
        headers: &[(&'static str, String)],
    ) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request
            .send()
            .await
            .with_context(|| format!("no Stepwell answers at {}", self.server))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        if status.is_success() {
            if text.is_empty() {
                return Ok(Answer::Found(Value::Null));
            }
            let value = serde_json::from_str(&text).context("the answer is not JSON")?;
            return Ok(Answer::Found(value));
        }
        let refused = Refused::read(status, &text);
        if status == StatusCode::NOT_FOUND {
            return Ok(Answer::NotFound(refused));
        }
        Err(refused.into())
    }

    /// Opens a stream of events, after the one with this id. `Ok(None)`: there will be none.
    ///
    /// # Errors
    /// The outer one when the server refuses, the inner one when it cannot be reached.
    pub(super) async fn events(
        &self,
        url: Url,
        last: Option<&str>,
    ) -> anyhow::Result<Result<Option<reqwest::Response>, reqwest::Error>> {
        let mut request = self.streams.get(url).header("Accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Ok(Err(error)),
        };
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(Ok(None)),
            status if status.is_success() => Ok(Ok(Some(answer))),
            // The server is there, and can do nothing at the moment.
            StatusCode::SERVICE_UNAVAILABLE => Ok(Err(answer
                .error_for_status()
                .err()
                .context("an error without one")?)),
            status => {
                let text = answer.text().await.unwrap_or_default();
                Err(Refused::read(status, &text).into())
            }
        }
    }

    /// Sends a request whose object must exist.
    ///
    /// # Errors
    /// As [`Client::ask`], and 404.
    pub(super) async fn get(
        &self,
        method: Method,
        url: Url,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        match self.ask(method, url, body, &[]).await? {
            Answer::Found(value) => Ok(value),
            Answer::NotFound(refused) => Err(refused.into()),
        }
    }
}

/// The header with the key.
fn credentials(key: Option<&SecretString>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    if let Some(key) = key {
        let mut value = HeaderValue::from_str(key.expose_secret().trim())
            .map_err(|_| Mistake::new("the API key is not plain ASCII"))?;
        value.set_sensitive(true);
        headers.insert("x-api-key", value);
    }
    Ok(headers)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::{Client, ServerArgument};

    #[test]
    fn segments_are_kept_apart() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = "http://127.0.0.1:1/base/".parse().unwrap();
        let client = Client::new(&ServerArgument {
            server,
            api_key: None,
        })
        .unwrap();
        let url = client
            .at(&["runs", "a/b"], &[("limit", "3".into())])
            .unwrap();
        assert_eq!(
            url.as_str(),
            "http://127.0.0.1:1/base/api/v1/runs/a%2Fb?limit=3"
        );
    }
}
