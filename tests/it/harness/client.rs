//! A client of the REST API, as a customer would write one.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, PATIENCE, until};

/// A client of one server.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    base: String,
    http: reqwest::Client,
    key: Option<String>,
}

impl Client {
    pub(crate) fn new(port: u16) -> Self {
        // A second installation in the same process is refused and does no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(90))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // Sooner than the API closes it: a test that blocks its thread would not see that.
            .pool_idle_timeout(Duration::from_secs(2))
            .build()
            .unwrap();
        Self {
            base: format!("http://127.0.0.1:{port}"),
            http,
            key: None,
        }
    }

    /// The same, with an API key in every request.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..self.clone()
        }
    }

    /// A path as sent: paths that do not begin with `/` are below `/api/v1/`.
    pub(crate) fn url(&self, path: &str) -> String {
        if path.starts_with('/') {
            format!("{}{path}", self.base)
        } else {
            format!("{}/api/v1/{path}", self.base)
        }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, self.url(path));
        match &self.key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    pub(crate) async fn send(&self, request: reqwest::RequestBuilder) -> Answer {
        Answer::read(request.send().await.expect("the API answers")).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// What is there.
    pub(crate) async fn read(&self, path: &str) -> Answer {
        self.get(path).await.of(200)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::POST, path).json(&body))
            .await
    }

    pub(crate) async fn put(&self, path: &str, body: Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(&body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(self.request(Method::DELETE, path)).await
    }

    /// A POST with a body that need not be JSON.
    pub(crate) async fn post_raw(
        &self,
        path: &str,
        kind: &str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let request = self
            .request(Method::POST, path)
            .header("content-type", kind);
        self.send(request.body(body.into())).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let request = headers.iter().fold(
            self.request(Method::POST, path),
            |request, (name, value)| request.header(*name, *value),
        );
        self.send(request.json(&body)).await
    }

    /// Registers an agent that does not retry for long; gives its id.
    pub(crate) async fn agent(&self, name: &str, url: &str) -> String {
        self.agent_with(name, url, json!({})).await
    }

    /// Registers an agent with more fields than the necessary ones.
    pub(crate) async fn agent_with(&self, name: &str, url: &str, more: Value) -> String {
        let mut body = json!({
            "name": name, "url": url, "timeout_ms": 20_000,
            "retry_config": {"max_attempts": 5, "initial_interval_ms": 20, "max_interval_ms": 100},
        });
        let fields = body.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        self.post("agents", body).await.of(201).text("/id")
    }

    /// Registers a workflow; gives its id.
    pub(crate) async fn workflow(&self, slug: &str, steps: Value) -> String {
        self.workflow_with(slug, steps, json!({})).await
    }

    /// Registers a workflow with more fields than the necessary ones.
    pub(crate) async fn workflow_with(&self, slug: &str, steps: Value, more: Value) -> String {
        let mut body = json!({"id": slug, "name": slug, "steps": steps});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.post("workflows", body).await.of(201).text("/id")
    }

    /// Starts a run; gives its id.
    pub(crate) async fn start(&self, workflow: &str, input: Value) -> String {
        self.start_with(workflow, json!({"input": input})).await
    }

    /// Starts a run with options; gives its id.
    pub(crate) async fn start_with(&self, workflow: &str, body: Value) -> String {
        let path = format!("workflows/{workflow}/execute");
        self.post(&path, body).await.of(202).text("/id")
    }

    /// Starts a run and waits for its end; gives the run.
    pub(crate) async fn execute(&self, workflow: &str, input: Value) -> Value {
        let id = self.start(workflow, input).await;
        self.finished(&id).await
    }

    pub(crate) async fn run(&self, id: &str) -> Value {
        self.get(&format!("runs/{id}")).await.of(200).body
    }

    /// Waits for the run's end; gives the run.
    pub(crate) async fn finished(&self, id: &str) -> Value {
        self.finished_within(id, PATIENCE).await
    }

    pub(crate) async fn finished_within(&self, id: &str, patience: Duration) -> Value {
        until(&format!("run {id} ends"), patience, async || {
            let run = self.run(id).await;
            run["finished_at"].is_string().then_some(run)
        })
        .await
    }

    /// Waits until the run has this status; gives the run.
    pub(crate) async fn reaches(&self, id: &str, status: &str) -> Value {
        until(&format!("run {id} is {status}"), PATIENCE, async || {
            let run = self.run(id).await;
            (run["status"] == status).then_some(run)
        })
        .await
    }

    /// The run's steps. The answer is a list, or a page of one.
    pub(crate) async fn steps(&self, id: &str) -> Vec<Value> {
        let body = self
            .get(&format!("runs/{id}/steps?limit=200"))
            .await
            .of(200)
            .body;
        body["items"].as_array().expect("a page of steps").clone()
    }

    /// One step of a run.
    pub(crate) async fn step(&self, id: &str, name: &str) -> Value {
        let steps = self.steps(id).await;
        let found = steps.iter().find(|step| step["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no step {name} in {steps:#?}"))
    }

    /// The statuses of a run's steps as `name=status`, in the order of the definition.
    pub(crate) async fn statuses(&self, id: &str) -> Vec<String> {
        let steps = self.steps(id).await;
        steps
            .iter()
            .map(|s| {
                format!(
                    "{}={}",
                    s["name"].as_str().unwrap(),
                    s["status"].as_str().unwrap()
                )
            })
            .collect()
    }

    /// The whole audit trail of a run, oldest first.
    pub(crate) async fn audit(&self, id: &str) -> Vec<Value> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("runs/{id}/audit?limit=200{cursor}");
            let page = self.get(&path).await.of(200).body;
            records.extend(page["items"].as_array().unwrap().clone());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return records,
            }
        }
    }

    /// Waits until the audit trail of a run has this record about this step, or, with `""`, about the
    /// run itself.
    pub(crate) async fn audit_says(&self, id: &str, action: &str, step: &str) -> Value {
        until(
            &format!("{action} of {step} in run {id}"),
            PATIENCE,
            async || {
                let trail = self.audit(id).await;
                trail
                    .into_iter()
                    .find(|r| r["action"] == action && r["step"].as_str().unwrap_or("") == step)
            },
        )
        .await
    }

    /// The actions of the audit trail, `action` or `action step`.
    pub(crate) async fn actions(&self, id: &str) -> Vec<String> {
        let trail = self.audit(id).await;
        trail
            .iter()
            .map(|r| {
                let action = r["action"].as_str().unwrap();
                r["step"]
                    .as_str()
                    .map_or_else(|| action.to_owned(), |step| format!("{action} {step}"))
            })
            .collect()
    }
}
