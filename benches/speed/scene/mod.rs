//! A fresh database with the API on it, and worker processes.

mod api;
mod worker;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use stepwell::queue::Store;
use stepwell::queue::store::StoreOptions;
use stepwell::queue::workflow::PlannedVersion;
use uuid::Uuid;

use crate::meter::Meter;
use crate::meter::process::Spent;
use crate::meter::statements::{self, LOOK};
use crate::server::Server;

pub(crate) use api::Api;
pub(crate) use worker::Worker;

static NEXT: AtomicU32 = AtomicU32::new(1);
/// How long anything may take that is not measured.
pub(crate) const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at the queue: 20,000 runs take about a second.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The server that scenes are set on.
#[derive(Debug)]
pub(crate) struct Stage {
    server: Server,
    counts_statements: bool,
}

/// As for the peers that we compare with: all else is Postgres's default.
pub(crate) const SETTINGS: &[&str] = &["shared_buffers=1GB"];
const SETTINGS_COUNTING: &[&str] = &[
    SETTINGS[0],
    "shared_preload_libraries=pg_stat_statements",
    "pg_stat_statements.save=off",
];

impl Stage {
    pub(crate) fn build() -> Self {
        let counts_statements = statements::library_is_there(&crate::server::bin());
        let settings = if counts_statements {
            SETTINGS_COUNTING
        } else {
            SETTINGS
        };
        Self {
            server: Server::start_with(settings),
            counts_statements,
        }
    }

    /// Makes ready what is counted; without the extension, statements are not.
    pub(crate) async fn prepare(&mut self) {
        let admin = self.server.url("postgres");
        self.counts_statements = self.counts_statements && statements::prepare(&admin).await;
        if !self.counts_statements {
            eprintln!("pg_stat_statements is not there: statements are not counted");
        }
    }

    /// What the server says that it is.
    pub(crate) async fn version(&self) -> String {
        let mut connection = PgConnection::connect(&self.server.url("postgres"))
            .await
            .unwrap();
        let version = sqlx::query_scalar("select current_setting('server_version')")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        version
    }
}

/// A database, and its API until it is retired.
pub(crate) struct Scene {
    pub(crate) url: String,
    pub(crate) meter: Meter,
    name: String,
    admin: String,
    api: Option<Api>,
}

impl Scene {
    pub(crate) async fn set(stage: &Stage) -> Self {
        let name = format!("bench_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let admin = stage.server.url("postgres");
        command(&admin, format!("create database {name}")).await;
        let url = stage.server.url(&name);
        let store = Store::open(StoreOptions::new(url.clone())).unwrap();
        store.migrate_up().await.unwrap();
        store.close().await;
        command(&admin, "checkpoint".to_owned()).await;
        let pid = stage.server.pid();
        let meter = Meter::new(admin.clone(), name.clone(), pid, stage.counts_statements);
        let api = Api::start(&url).await;
        Self {
            url,
            meter,
            name,
            admin,
            api: Some(api),
        }
    }

    /// Removes the database, so that the disk holds one at a time.
    pub(crate) async fn strike(mut self) {
        self.retire_api().await;
        command(
            &self.admin,
            format!("drop database {} with (force)", self.name),
        )
        .await;
    }

    /// A store on it. Whoever opens one closes it, so that what it did is counted.
    pub(crate) fn store(&self) -> Store {
        Store::open(StoreOptions::new(self.url.clone())).unwrap()
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// The API, as long as it has not been retired.
    pub(crate) fn api(&self) -> &Api {
        self.api.as_ref().expect("the API is needed until here")
    }

    /// Ends the API where nothing needs it, so that it costs nothing; gives what it used.
    pub(crate) async fn retire_api(&mut self) -> Spent {
        match self.api.take() {
            Some(api) => api.end().await,
            None => Spent::default(),
        }
    }

    /// Ends the API and starts another.
    pub(crate) async fn renew_api(&mut self) {
        self.retire_api().await;
        self.api = Some(Api::start(&self.url).await);
    }

    /// A workflow of so many steps, one after the other, that do nothing.
    pub(crate) async fn chain(&self, steps: usize) -> PlannedVersion {
        let id = format!("chain{steps}");
        let steps: Vec<_> = (1..=steps).map(|n| task(&format!("s{n}"))).collect();
        self.workflow(&json!({"id": id, "name": id, "steps": steps}))
            .await
    }

    /// Makes a workflow.
    pub(crate) async fn workflow(&self, definition: &Value) -> PlannedVersion {
        self.api().post("workflows", definition).await;
        let store = self.store();
        let slug = definition["id"].as_str().expect("it has a slug");
        let planned = store.resolve(slug, None).await.unwrap().unwrap();
        store.close().await;
        planned
    }

    /// Fresh statistics, as autovacuum would soon have made them. Keep the connection as long as you measure:
    /// its end gives back all the shared memory that the reading of a large history has touched, which takes
    /// a core 50 ms.
    pub(crate) async fn analyze(&self) -> PgConnection {
        let mut connection = self.connect().await;
        connection.execute("analyze").await.unwrap();
        connection
    }

    /// What the database takes on the disk.
    pub(crate) async fn size_mib(&self) -> f64 {
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        let bytes: i64 = sqlx::query_scalar("select pg_database_size($1::text::name)")
            .bind(&self.name)
            .fetch_one(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
        bytes as f64 / f64::from(1 << 20)
    }

    /// Waits until no job is left of the runs from `first` on; gives the moment.
    pub(crate) async fn drained(&self, first: Uuid) -> Instant {
        let mut connection = self.connect().await;
        let deadline = Instant::now() + PATIENCE;
        let look = format!("select {LOOK} exists (select from stepwell.job where run_id >= $1)");
        // A connection's start is a transaction too, and so is the preparation of a statement.
        let mut transactions = 2;
        let moment = loop {
            let left: bool = sqlx::query_scalar(AssertSqlSafe(look.as_str()))
                .bind(first)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            transactions += 1;
            if !left {
                break Instant::now();
            }
            assert!(Instant::now() < deadline, "the queue is not drained");
            tokio::time::sleep(LOOK_EVERY).await;
        };
        connection.close().await.unwrap();
        self.meter.forgive(transactions);
        moment
    }
}

/// A step that calls the function that does nothing.
pub(crate) fn task(name: &str) -> Value {
    json!({"name": name, "type": "task", "config": {"task": "noop", "input": {}}})
}

async fn command(url: &str, statement: String) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection.execute(AssertSqlSafe(statement)).await.unwrap();
    connection.close().await.unwrap();
}
