//! The product's own binary, serving its API.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

use super::PATIENCE;
use crate::meter::process::Spent;
use crate::port;

#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) port: u16,
    child: Child,
    http: reqwest::Client,
    /// What it had used when it was ready.
    start: Spent,
}

impl Api {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(url: &str) -> Self {
        let port = port::free();
        let child = Command::new(env!("CARGO_BIN_EXE_stepwell"))
            .args(["api", "--port", &port.to_string()])
            .env("DATABASE_URL", url)
            .env("STEPWELL_GRPC_PORT", "0")
            .env("STEPWELL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut api = Self {
            port,
            child,
            http,
            start: Spent::default(),
        };
        api.ready().await;
        api.start = api.spent();
        api
    }

    async fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        let url = format!("http://127.0.0.1:{}/health/ready", self.port);
        let asked = || async { self.http.get(&url).send().await };
        while !asked()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(Instant::now() < deadline, "the API does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// POSTs and gives the answer's body; fails on any status but a good one.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://127.0.0.1:{}/api/v1/{path}", self.port);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What it used so far, its start included.
    pub(crate) fn spent(&self) -> Spent {
        Spent::of(self.child.id().expect("it runs"))
    }

    /// Lets it end in order; gives what it used since it was ready.
    pub(crate) async fn end(mut self) -> Spent {
        let spent = self.spent().since(self.start);
        let pid = i32::try_from(self.child.id().expect("it runs")).unwrap();
        kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
        // A connection that rests would hold it up.
        drop(self.http);
        self.child.wait().await.unwrap();
        spent
    }
}
