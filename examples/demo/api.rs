//! A client of the REST API, and of what the agents tell of their calls.

use std::time::Duration;

use anyhow::{Context, bail};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// How often something that is waited for is looked at: the eye sees no difference.
const LOOK_EVERY: Duration = Duration::from_millis(40);
/// How long something may take that is expected: more than any of it should.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// One call as an agent saw it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) run_id: Option<String>,
    pub(crate) step: Option<String>,
    pub(crate) idempotency_key: Option<String>,
    pub(crate) body: Value,
    pub(crate) finished: bool,
    pub(crate) aborted: bool,
}

/// A client of the API and of the agents.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    api: String,
    agents: String,
    http: reqwest::Client,
}

impl Client {
    pub(crate) fn new(api: &str, agents: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(REQUEST_TIMEOUT)
            .no_proxy()
            .build()?;
        Ok(Self {
            api: format!("{api}/api/v1"),
            agents: agents.to_owned(),
            http,
        })
    }

    /// Registers an agent or a workflow.
    pub(crate) async fn create(&self, kind: &str, document: &Value) -> anyhow::Result<()> {
        let path = format!("{}/{kind}", self.api);
        self.send(Method::POST, &path, Some(document)).await?;
        Ok(())
    }

    /// Starts a run; gives its id.
    pub(crate) async fn start(&self, workflow: &str, input: Value) -> anyhow::Result<String> {
        let path = format!("{}/workflows/{workflow}/execute", self.api);
        let body = json!({"input": input});
        let run = self.send(Method::POST, &path, Some(&body)).await?;
        let id = run["id"].as_str().context("the run has no id")?;
        Ok(id.to_owned())
    }

    /// Whether a run with this input is refused with 422.
    pub(crate) async fn is_refused(&self, workflow: &str, input: Value) -> anyhow::Result<bool> {
        let path = format!("{}/workflows/{workflow}/execute", self.api);
        let request = self.http.post(path).json(&json!({"input": input}));
        Ok(request.send().await?.status() == 422)
    }

    pub(crate) async fn run(&self, id: &str) -> anyhow::Result<Value> {
        let path = format!("{}/runs/{id}", self.api);
        self.send(Method::GET, &path, None).await
    }

    pub(crate) async fn steps(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!("{}/runs/{id}/steps?limit=200", self.api);
        items(self.send(Method::GET, &path, None).await?)
    }

    pub(crate) async fn audit(&self, id: &str) -> anyhow::Result<Vec<Value>> {
        let path = format!("{}/runs/{id}/audit?limit=200", self.api);
        items(self.send(Method::GET, &path, None).await?)
    }

    pub(crate) async fn cancel(&self, id: &str, reason: &str) -> anyhow::Result<()> {
        let path = format!("{}/runs/{id}/cancel", self.api);
        let body = json!({"reason": reason});
        self.send(Method::POST, &path, Some(&body)).await?;
        Ok(())
    }

    pub(crate) async fn retry(&self, id: &str) -> anyhow::Result<()> {
        let path = format!("{}/runs/{id}/retry", self.api);
        self.send(Method::POST, &path, Some(&json!({}))).await?;
        Ok(())
    }

    /// Repairs the broken agent.
    pub(crate) async fn repair(&self) -> anyhow::Result<()> {
        let path = format!("{}/repair", self.agents);
        self.send(Method::POST, &path, None).await?;
        Ok(())
    }

    /// All calls that the agents saw.
    pub(crate) async fn calls(&self) -> anyhow::Result<Vec<Call>> {
        let path = format!("{}/calls", self.agents);
        let calls = self.send(Method::GET, &path, None).await?;
        Ok(serde_json::from_value(calls)?)
    }

    /// The calls that one run made, in order.
    pub(crate) async fn calls_of(&self, run: &str) -> anyhow::Result<Vec<Call>> {
        let mut calls = self.calls().await?;
        calls.retain(|call| call.run_id.as_deref() == Some(run));
        Ok(calls)
    }

    async fn send(&self, method: Method, url: &str, body: Option<&Value>) -> anyhow::Result<Value> {
        let mut request = self.http.request(method.clone(), url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{method} {url} was answered {status}: {text}");
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {url} is no JSON: {text}"))
    }
}

fn items(mut page: Value) -> anyhow::Result<Vec<Value>> {
    match page.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => bail!("no list of items: {page}"),
    }
}

/// Looks again and again until there is something to see.
pub(crate) async fn until<T>(
    what: &str,
    mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<T> {
    let looking = async {
        loop {
            if let Some(seen) = look().await? {
                return Ok(seen);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, looking).await;
    looked.with_context(|| format!("not within {PATIENCE:?}: {what}"))?
}
