//! A database per test, copied from one that was migrated once.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool};

use super::{Process, Server, process};

/// The server that all tests share, unless `TEST_DATABASE_URL` names another.
struct Shared {
    server: Option<Server>,
    admin: String,
    template: String,
}

static SHARED: OnceLock<Shared> = OnceLock::new();
static NEXT: AtomicU32 = AtomicU32::new(1);

/// A database; dropped by [`Database::drop_it`], at the latest with the shared server.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) url: String,
    admin: String,
    pub(crate) pool: PgPool,
}

impl Database {
    /// A database at the schema of this binary.
    pub(crate) async fn migrated() -> Self {
        let shared = shared();
        Self::create(&shared.admin, Some(&shared.template)).await
    }

    /// A database without anything in it.
    pub(crate) async fn empty() -> Self {
        Self::create(&shared().admin, None).await
    }

    /// An empty database on a server of the test's own.
    pub(crate) async fn on(server: &Server) -> Self {
        Self::create(&server.url("postgres"), None).await
    }

    async fn create(admin: &str, template: Option<&str>) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("it_{}_{number}", std::process::id());
        let mut connection = PgConnection::connect(admin).await.unwrap();
        let sql = format!(
            "create database {name} template {}",
            template.unwrap_or("template0")
        );
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
        let url = with_database(admin, &name);
        let pool = sqlx::postgres::PgPoolOptions::new()
            .max_connections(3)
            .acquire_timeout(super::PATIENCE)
            .connect_lazy(&url)
            .unwrap();
        Self {
            name,
            url,
            admin: admin.to_owned(),
            pool,
        }
    }

    /// Runs a statement that gives nothing back.
    pub(crate) async fn run(&self, sql: &str) {
        self.pool
            .execute(AssertSqlSafe(sql.to_owned()))
            .await
            .unwrap();
    }

    /// The one number that a query gives.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_one(&self.pool)
            .await
            .unwrap()
    }

    /// The one text that a query gives, if it gives any.
    pub(crate) async fn text(&self, sql: &str) -> Option<String> {
        sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
            .fetch_optional(&self.pool)
            .await
            .unwrap()
    }

    /// Removes it.
    pub(crate) async fn drop_it(self) {
        self.pool.close().await;
        let mut connection = PgConnection::connect(&self.admin).await.unwrap();
        let sql = format!("drop database if exists {} with (force)", self.name);
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.close().await.unwrap();
    }
}

/// Where processes that must not outlive the tests are noted.
pub(crate) fn processes() -> Option<std::path::PathBuf> {
    SHARED.get()?.server.as_ref().map(Server::processes)
}

fn shared() -> &'static Shared {
    SHARED.get_or_init(|| {
        let server = std::env::var("TEST_DATABASE_URL")
            .is_err()
            .then(Server::start);
        let admin = server.as_ref().map_or_else(
            || std::env::var("TEST_DATABASE_URL").unwrap(),
            |server| server.url("postgres"),
        );
        let template = format!("it_{}_template", std::process::id());
        // A thread with a runtime of its own: we may already be inside of one.
        let (inner_admin, inner_template) = (admin.clone(), template.clone());
        std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(make_template(&inner_admin, &inner_template));
        })
        .join()
        .expect("the template database is made");
        Shared {
            server,
            admin,
            template,
        }
    })
}

async fn make_template(admin: &str, template: &str) {
    let mut connection = PgConnection::connect(admin).await.unwrap();
    let sql = format!("create database {template} template template0");
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
    let url = with_database(admin, template);
    let mut migrate = Process::spawn("migrate", &["migrate", "up"], &[("DATABASE_URL", &url)]);
    let status = migrate.exit().await;
    assert_eq!(
        status.code(),
        Some(process::EXIT_OK),
        "migrate up: {}",
        migrate.log()
    );
}

fn with_database(admin: &str, name: &str) -> String {
    let mut url = url::Url::parse(admin).expect("TEST_DATABASE_URL is a URL");
    url.set_path(name);
    url.into()
}
