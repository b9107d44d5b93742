//! What a case is played on: the process under test behind a wire, and others that are not.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use reqwest::Method;
use serde_json::Value;

use super::{DEAD_AFTER, HOLD_UP_MAX, SETTINGS};
use crate::harness::{
    Agent, Answer, App, Client, Database, PATIENCE, Pooler, Process, Wire, port, until,
};

/// A client asks again for as long as an API may be held up, and then some.
const ASKED_FOR: Duration = Duration::from_secs(60);
/// The name of the worker under test.
pub(super) const TRIED: &str = "tried";

/// Which kind of process is under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Role {
    Worker,
    Api,
}

/// The processes of a case. `app.api` is never under test.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) app: App,
    pub(super) agent: Agent,
    role: Role,
    pub(super) wire: Wire,
    /// The API that acts speak to: the one under test, if it is one.
    pub(super) api: Client,
    api_port: u16,
    /// Processes that came later, and stay to the end.
    late: Mutex<Vec<Process>>,
    hushed: AtomicBool,
    _pooler: Option<Pooler>,
}

impl Stage {
    /// An API that is not under test, over a database of its own.
    pub(super) async fn bare(role: Role) -> Self {
        Self::over(role, Database::migrated().await, None).await
    }

    /// The same where every process comes by a pooler; `None` where there is none to be had.
    pub(super) async fn pooled(role: Role, prepared: u32) -> Option<Self> {
        let database = Database::migrated().await;
        let pooler = Pooler::before(&database, prepared).await?;
        Some(Self::over(role, database, Some(pooler)).await)
    }

    async fn over(role: Role, database: Database, pooler: Option<Pooler>) -> Self {
        let by_pooler = pooler.as_ref().map(Pooler::variables);
        let settings = [SETTINGS, by_pooler.as_ref().map_or(&[], |by| by.as_slice())].concat();
        let mut app = App::on(database, &settings);
        app.api().await;
        let url = pooler
            .as_ref()
            .map_or(&app.database.url, |pooler| &pooler.url);
        let wire = Wire::to(url).await;
        let api_port = port::free();
        let api = match role {
            Role::Worker => app.api.clone(),
            Role::Api => Client::new(api_port),
        };
        Self {
            app,
            agent: Agent::start().await,
            role,
            wire,
            api,
            api_port,
            late: Mutex::default(),
            hushed: AtomicBool::new(false),
            _pooler: pooler,
        }
    }

    /// Starts the process under test, and a worker where that is none.
    pub(super) async fn begin(&mut self) {
        let url = self.wire.url().to_owned();
        let by_wire = [("DATABASE_URL", url.as_str())];
        match self.role {
            Role::Worker => {
                let tried = self.process(TRIED, &["worker", "--name", TRIED], &by_wire);
                self.wire.leads(&tried);
                self.app.processes.push(tried);
            }
            Role::Api => {
                let port = self.api_port.to_string();
                let tried = self.process("tried api", &["api", "--port", &port], &by_wire);
                self.wire.leads(&tried);
                self.app.processes.push(tried);
                let other = self.another("worker");
                self.app.processes.push(other);
            }
        }
    }

    /// Waits until the process under test takes what comes.
    pub(super) async fn ready(&self) {
        let workers = self
            .app
            .processes
            .iter()
            .filter(|process| !process.name.contains("api"));
        for worker in workers {
            worker.said("ready").await;
        }
        if self.role == Role::Api {
            until("the API under test is ready", PATIENCE, async || {
                let answer = self.api.request(Method::GET, "/health/ready").send().await;
                answer.ok()?.status().is_success().then_some(())
            })
            .await;
        }
    }

    /// Starts a worker that is not under test.
    pub(super) fn another(&self, name: &str) -> Process {
        self.process(name, &["worker", "--name", name], &[])
    }

    pub(super) fn process(&self, name: &str, arguments: &[&str], more: &[(&str, &str)]) -> Process {
        let variables = self.app.variables();
        let variables = variables.iter().map(|(k, v)| (k.as_str(), v.as_str()));
        let variables: Vec<_> = variables.chain(more.iter().copied()).collect();
        Process::spawn(name, arguments, &variables)
    }

    /// Ends the API that is not under test, which would do what the process under test is to do.
    pub(super) async fn hush(&self) {
        self.app.processes[0].signal(Signal::SIGTERM);
        until("the API is gone", PATIENCE, async || {
            let answer = self
                .app
                .api
                .request(Method::GET, "/health/live")
                .send()
                .await;
            answer.is_err().then_some(())
        })
        .await;
        self.hushed.store(true, Ordering::SeqCst);
    }

    /// Starts that API again, if it was ended.
    pub(super) async fn wake(&self) {
        if self.hushed.swap(false, Ordering::SeqCst) {
            let port = self.app.port.to_string();
            self.keep(Some(self.process(
                "api again",
                &["api", "--port", &port],
                &[],
            )));
        }
        until("the API is ready again", PATIENCE, async || {
            let answer = self
                .app
                .api
                .request(Method::GET, "/health/ready")
                .send()
                .await;
            answer.ok()?.status().is_success().then_some(())
        })
        .await;
    }

    /// Keeps a process that came later to the end.
    pub(super) fn keep(&self, process: Option<Process>) {
        self.late.lock().unwrap().extend(process);
    }

    /// Stops all, and checks what is checked after each test.
    pub(super) async fn finish(self) {
        for mut process in self.late.into_inner().unwrap() {
            process.stop().await;
        }
        self.app.finish().await;
    }

    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// Asks the API under test, as a client does that is told 503 or nothing: again. What was done by the
    /// request before may then be in the way, and that is well.
    pub(super) async fn asks(&self, method: Method, path: &str, body: Value) -> Answer {
        self.asks_as(None, method, path, body).await
    }

    pub(super) async fn asks_as(
        &self,
        key: Option<&str>,
        method: Method,
        path: &str,
        body: Value,
    ) -> Answer {
        let deadline = Instant::now() + ASKED_FOR;
        let mut again = false;
        loop {
            let request = self.api.request(method.clone(), path).json(&body);
            let request = key.iter().fold(request, |request, key| {
                request.header("idempotency-key", *key)
            });
            if let Ok(response) = request.send().await {
                let answer = Answer::read(response).await;
                assert_ne!(answer.status, 500, "{method} {path}: {}", answer.raw);
                if answer.status < 500 {
                    let done_before = again && matches!(answer.status, 404 | 409 | 412);
                    assert!(
                        answer.status < 400 || done_before,
                        "{method} {path}: {}",
                        answer.raw
                    );
                    return answer;
                }
            }
            assert!(Instant::now() < deadline, "{method} {path} is not answered");
            again = true;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Asks for something once, and then again: the second answer is the first.
    pub(super) async fn posts_once(&self, path: &str, body: Value) -> Answer {
        let key = uuid::Uuid::now_v7().to_string();
        let first = self
            .asks_as(Some(&key), Method::POST, path, body.clone())
            .await;
        let again = self.asks_as(Some(&key), Method::POST, path, body).await;
        assert_eq!(
            (&first.body["id"], first.status),
            (&again.body["id"], again.status),
            "{path}"
        );
        first
    }

    pub(super) async fn posts(&self, path: &str, body: Value) -> Answer {
        self.asks(Method::POST, path, body).await
    }

    /// Starts a run by the API under test; gives its id. Asked again, it is the same run.
    pub(super) async fn starts(&self, workflow: &str, body: Value) -> String {
        let key = uuid::Uuid::now_v7().to_string();
        let path = format!("workflows/{workflow}/execute");
        self.asks_as(Some(&key), Method::POST, &path, body)
            .await
            .text("/id")
    }

    /// Waits until the run is over, for as long as a lost process may hold it up.
    pub(super) async fn ends(&self, run: &str) -> Value {
        self.app
            .api
            .finished_within(run, PATIENCE + DEAD_AFTER + HOLD_UP_MAX)
            .await
    }

    /// Waits until a count over the database is this.
    pub(super) async fn counts(&self, what: &str, sql: &str, count: i64) {
        until(what, PATIENCE, async || {
            (self.app.database.number(sql).await == count).then_some(())
        })
        .await;
    }
}
