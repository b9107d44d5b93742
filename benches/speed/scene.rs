//! A fresh database with the API on it, and worker processes.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::queue::workflow::PlannedVersion;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::meter::Meter;
use crate::port;
use crate::server::Server;

static NEXT: AtomicU32 = AtomicU32::new(1);
const PATIENCE: Duration = Duration::from_secs(120);

/// A database, its API and a store on it.
pub(crate) struct Scene {
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) http: reqwest::Client,
    pub(crate) api: Child,
    pub(crate) meter: Meter,
    base: String,
}

impl Scene {
    pub(crate) async fn set(server: &Server) -> Self {
        let name = format!("bench_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = server.url("postgres");
        let mut connection = PgConnection::connect(&admin).await.unwrap();
        let create = format!("create database {name}");
        connection.execute(AssertSqlSafe(create)).await.unwrap();
        connection.execute("checkpoint").await.unwrap();
        connection.close().await.unwrap();
        let url = server.url(&name);
        let store = Store::open(StoreOptions::new(url.clone())).unwrap();
        store.migrate_up().await.unwrap();
        let port = port::free();
        let api = Command::new(env!("CARGO_BIN_EXE_stepwell"))
            .args(["api", "--port", &port.to_string()])
            .env("DATABASE_URL", &url)
            .env("STEPWELL_LOG", "warn")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let base = format!("http://127.0.0.1:{port}");
        let meter = Meter::new(admin, name, server.pid());
        let scene = Self {
            url,
            store,
            http,
            api,
            meter,
            base,
        };
        scene.ready().await;
        scene
    }

    async fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        let url = format!("{}/health/ready", self.base);
        while !self
            .http
            .get(&url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
        {
            assert!(Instant::now() < deadline, "the API does not come up");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// POSTs and gives the answer's body; fails on any status but a good one.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/api/v1/{path}", self.base);
        let answer = self.http.post(url).json(body).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// A workflow of so many steps, one after the other, that do nothing.
    pub(crate) async fn chain(&self, steps: usize) -> PlannedVersion {
        let steps: Vec<_> = (1..=steps)
            .map(|n| json!({"name": format!("s{n}"), "type": "task", "config": {"task": "noop", "input": {}}}))
            .collect();
        self.post(
            "workflows",
            &json!({"id": "bench", "name": "bench", "steps": steps}),
        )
        .await;
        self.store.resolve("bench", None).await.unwrap().unwrap()
    }

    /// Fresh statistics, as autovacuum would soon have made them.
    pub(crate) async fn analyze(&self) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        connection.execute("analyze").await.unwrap();
        connection.close().await.unwrap();
    }

    /// Waits until no job is left.
    pub(crate) async fn drained(&self) {
        let mut connection = PgConnection::connect(&self.url).await.unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left: bool = sqlx::query_scalar("select exists (select from stepwell.job)")
                .fetch_one(&mut connection)
                .await
                .unwrap();
            if !left {
                break;
            }
            assert!(Instant::now() < deadline, "the queue is not drained");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        connection.close().await.unwrap();
    }
}

/// A worker process.
pub(crate) struct Worker {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    started: Arc<Instant>,
}

impl Worker {
    /// Starts one and waits until it begins.
    pub(crate) async fn start(scene: &Scene, steps: usize, note: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["worker", &steps.to_string(), &note.to_string()])
            .env("DATABASE_URL", &scene.url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut worker = Self {
            child,
            lines,
            started: Arc::new(Instant::now()),
        };
        worker.says("start").await;
        worker.started = Arc::new(Instant::now());
        worker
    }

    /// When it began.
    pub(crate) fn started(&self) -> Instant {
        *self.started
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("it runs")
    }

    /// Waits for a line.
    pub(crate) async fn says(&mut self, text: &str) {
        let wait = async {
            while let Some(line) = self.lines.next_line().await.unwrap() {
                if line == text {
                    return;
                }
            }
            panic!("the worker ended before it said {text:?}");
        };
        tokio::time::timeout(PATIENCE, wait)
            .await
            .expect("the worker answers");
    }

    /// Lets it end, and gives what it still said.
    pub(crate) async fn end(mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let mut rest = Vec::new();
        while let Some(line) = self.lines.next_line().await.unwrap() {
            rest.push(line);
        }
        assert!(
            self.child.wait().await.unwrap().success(),
            "the worker ended badly"
        );
        rest
    }
}
