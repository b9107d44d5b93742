//! A whole Stepwell over a database of its own.

use std::path::PathBuf;

use super::{Client, Database, Process, invariants, port, process, until};

/// Processes of an `App` run under these; a test's own come later and win.
const SETTINGS: &[(&str, &str)] = &[
    ("STEPWELL_DATABASE_POOL_MAX", "4"),
    ("STEPWELL_LOG_FORMAT", "json"),
    ("STEPWELL_WORKER_ALLOW_PRIVATE", "true"),
];
/// Deaths are noticed within two seconds. For tests that kill; a busy machine may need a moment
/// more, so the others keep the default.
pub(crate) const QUICK_DEATHS: &[(&str, &str)] = &[
    ("STEPWELL_WORKER_HEARTBEAT_MS", "300"),
    ("STEPWELL_WORKER_DEAD_AFTER_MS", "2000"),
    ("STEPWELL_WORKER_POLL_MS", "200"),
];

/// Stepwell's processes, a client of the API and the database under them.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) api: Client,
    pub(crate) port: u16,
    pub(crate) processes: Vec<Process>,
    pub(crate) database: Database,
    settings: Vec<(String, String)>,
    key: tempfile::TempDir,
}

/// Runs a test against API and worker in one process, and checks the invariants after it.
pub(crate) async fn with_app(test: impl AsyncFnOnce(&mut App)) {
    let mut app = App::on(Database::migrated().await, &[]);
    app.up().await;
    test(&mut app).await;
    app.finish().await;
}

impl App {
    /// Nothing runs yet.
    pub(crate) fn on(database: Database, settings: &[(&str, &str)]) -> Self {
        let port = port::free();
        let key = tempfile::tempdir().unwrap();
        std::fs::write(key.path().join("key"), "5f".repeat(32)).unwrap();
        let settings = settings
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Self {
            api: Client::new(port),
            port,
            processes: Vec::new(),
            database,
            settings,
            key,
        }
    }

    /// The API and this many workers, as processes of their own, under `settings`.
    pub(crate) async fn separate(workers: usize, settings: &[(&str, &str)]) -> Self {
        let mut app = Self::on(Database::migrated().await, settings);
        app.api().await;
        for _ in 0..workers {
            app.worker();
        }
        app
    }

    /// Processes that are started from now on see these settings as well; they win.
    pub(crate) fn with_settings(mut self, settings: &[(&str, &str)]) -> Self {
        let more = settings.iter();
        self.settings
            .extend(more.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        self
    }

    /// Starts API and worker in one process.
    pub(crate) async fn up(&mut self) {
        let port = self.port.to_string();
        self.spawn("up", &["up", "--port", &port]);
        self.ready().await;
    }

    /// Starts the API in a process of its own.
    pub(crate) async fn api(&mut self) {
        let port = self.port.to_string();
        self.spawn("api", &["api", "--port", &port]);
        self.ready().await;
    }

    /// Starts another API beside the first; gives a client of it.
    pub(crate) async fn another_api(&mut self) -> Client {
        let port = port::free();
        let name = format!("api{}", self.processes.len());
        let newest = self.spawn(&name, &["api", "--port", &port.to_string()]);
        let client = Client::new(port);
        ready(&client, &mut self.processes[newest..]).await;
        client
    }

    /// Starts a worker in a process of its own; gives its place in `processes`.
    pub(crate) fn worker(&mut self) -> usize {
        let name = format!("worker{}", self.processes.len());
        self.spawn(&name, &["worker", "--name", &name])
    }

    /// Starts the binary with the app's settings.
    pub(crate) fn spawn(&mut self, name: &str, arguments: &[&str]) -> usize {
        self.spawn_with(name, arguments, &[])
    }

    /// The same with more variables for this process alone.
    pub(crate) fn spawn_with(
        &mut self,
        name: &str,
        arguments: &[&str],
        more: &[(String, String)],
    ) -> usize {
        let mut variables = self.variables();
        variables.extend(more.iter().cloned());
        let variables: Vec<_> = variables
            .iter()
            .map(|(k, v)| (k.as_str(), v.as_str()))
            .collect();
        self.processes
            .push(Process::spawn(name, arguments, &variables));
        self.processes.len() - 1
    }

    /// What the processes see of the environment.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let key_file: PathBuf = self.key.path().join("key");
        let mut all = vec![
            ("DATABASE_URL".to_owned(), self.database.url.clone()),
            (
                "STEPWELL_MASTER_KEY_FILE".to_owned(),
                key_file.display().to_string(),
            ),
        ];
        all.extend(
            SETTINGS
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned())),
        );
        all.extend(self.settings.clone());
        all
    }

    /// Waits until the API takes requests.
    pub(crate) async fn ready(&mut self) {
        let newest = self.processes.len() - 1;
        ready(&self.api, &mut self.processes[newest..]).await;
    }

    /// Stops what still runs, in order, checks the invariants, and removes the database.
    pub(crate) async fn finish(mut self) {
        invariants::hold(&self.database).await;
        for process in self.processes.iter_mut().rev() {
            if process.ended().is_none() {
                let status = process.stop().await;
                assert_eq!(
                    status.code(),
                    Some(process::EXIT_OK),
                    "{}: {}",
                    process.name,
                    process.log()
                );
            }
            let log = process.log();
            assert!(
                !log.contains("panicked"),
                "{} panicked: {log}",
                process.name
            );
        }
        invariants::hold(&self.database).await;
        self.database.drop_it().await;
    }
}

/// Waits until the API takes requests; fails when one of the processes ends meanwhile.
pub(crate) async fn ready(client: &Client, processes: &mut [Process]) {
    until("the API is ready", super::PATIENCE, async || {
        for process in &mut *processes {
            if let Some(status) = process.ended() {
                panic!("{} ended with {status}: {}", process.name, process.log());
            }
        }
        let answer = client
            .request(reqwest::Method::GET, "/health/ready")
            .send()
            .await
            .ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}
