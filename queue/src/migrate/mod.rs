//! The schema's versions, by refinery, one migrator at a time. The history is kept in
//! `stepwell.migration`.

mod adapter;

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::PgConnection;

use crate::backoff::jittered;
use crate::{Error, Store, transaction};

mod forward {
    refinery::embed_migrations!("../migrations");
}

mod back {
    include!(concat!(env!("OUT_DIR"), "/back.rs"));
}

/// Where refinery keeps its history.
const HISTORY: &str = "stepwell.migration";
/// The advisory lock of migrators, any number that nobody else uses.
const LOCK_KEY: i64 = 0x5354_4550_0000;
/// Between two tries for that lock. A session that waited inside `pg_advisory_lock` would hold a
/// snapshot and could deadlock with CREATE INDEX CONCURRENTLY.
const LOCK_POLL: Duration = Duration::from_millis(100);
/// How long another migrator is waited for.
const LOCK_PATIENCE: Duration = Duration::from_secs(600);

/// One migration and whether it is applied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    pub version: i32,
    pub name: String,
    pub applied: bool,
}

/// Where the schema stands against this binary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Current,
    /// Older than the binary, or empty: `stepwell migrate up`.
    Behind,
    /// Newer than the binary: it must not run.
    Ahead,
}

impl Store {
    /// Applies what is missing, under an advisory lock; returns the versions applied.
    ///
    /// # Errors
    /// [`Error::Schema`] when the schema is newer than the binary.
    pub async fn migrate_up(&self) -> Result<Vec<i32>, Error> {
        let mut connection = self.pool.acquire().await?;
        lock(&mut connection).await?;
        let done = up(&mut connection).await;
        unlock(&mut connection).await;
        done
    }

    /// Takes back the newest `count` migrations by their U files; returns them, newest first.
    ///
    /// # Errors
    /// As the database says; the migration that failed is rolled back.
    pub async fn migrate_down(&self, count: usize) -> Result<Vec<i32>, Error> {
        let mut connection = self.pool.acquire().await?;
        lock(&mut connection).await?;
        let done = down(&mut connection, count).await;
        unlock(&mut connection).await;
        done
    }

    /// Lists all migrations: those of this binary, and those that only the database knows.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn migrations(&self) -> Result<Vec<Step>, Error> {
        let mut connection = self.pool.acquire().await?;
        let applied = applied(&mut connection).await?;
        let mut steps: BTreeMap<i32, Step> = known()
            .iter()
            .map(|migration| {
                let version = migration.version();
                let step = Step {
                    version,
                    name: migration.name().to_owned(),
                    applied: applied.contains_key(&version),
                };
                (version, step)
            })
            .collect();
        for (version, name) in applied {
            steps.entry(version).or_insert(Step {
                version,
                name,
                applied: true,
            });
        }
        Ok(steps.into_values().collect())
    }

    /// Compares the schema with the binary.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn standing(&self) -> Result<Standing, Error> {
        let mut connection = self.pool.acquire().await?;
        let newest = applied(&mut connection)
            .await?
            .into_keys()
            .max()
            .unwrap_or(0);
        Ok(match newest.cmp(&newest_known()) {
            std::cmp::Ordering::Less => Standing::Behind,
            std::cmp::Ordering::Equal => Standing::Current,
            std::cmp::Ordering::Greater => Standing::Ahead,
        })
    }
}

async fn up(connection: &mut PgConnection) -> Result<Vec<i32>, Error> {
    sqlx::query!("create schema if not exists stepwell")
        .execute(&mut *connection)
        .await?;
    let newest = applied(connection).await?.into_keys().max().unwrap_or(0);
    let known_to = newest_known();
    if newest > known_to {
        return Err(Error::Schema(format!(
            "the database is at schema version {newest}, and this program knows versions up to {known_to}: \
             use a newer program, or take the schema back with the newer one (`stepwell migrate down`)"
        )));
    }
    let mut runner = refinery::Runner::new(&known());
    runner.set_migration_table_name(HISTORY);
    let report = runner
        .run_async(&mut adapter::Adapter(connection))
        .await
        .map_err(|error| adapter::schema_error(&error))?;
    let applied = report.applied_migrations().iter();
    Ok(applied.map(refinery::Migration::version).collect())
}

async fn down(connection: &mut PgConnection, count: usize) -> Result<Vec<i32>, Error> {
    let mut undone = Vec::new();
    let newest_first = applied(connection).await?.into_keys().rev().take(count);
    for version in newest_first.collect::<Vec<_>>() {
        let Some((_, sql)) = back::MIGRATIONS.iter().find(|(v, _)| *v == version) else {
            return Err(Error::Schema(format!(
                "this program has no way back from schema version {version}: use the one that applied it"
            )));
        };
        let mut transaction = transaction::begin(connection).await?;
        sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
        sqlx::query("delete from stepwell.migration where version = $1")
            .bind(version)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        undone.push(version);
    }
    Ok(undone)
}

/// Returns version and name of what is applied. Not checked at compile time: the table is refinery's.
async fn applied(connection: &mut PgConnection) -> Result<BTreeMap<i32, String>, Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass($1) is not null")
        .bind(HISTORY)
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(i32, String)> =
        sqlx::query_as("select version, name from stepwell.migration order by version")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().collect())
}

/// The migrations of this binary. refinery takes U files for migrations too, of an unordered kind.
fn known() -> Vec<refinery::Migration> {
    let mut known = forward::migrations::runner().get_migrations().clone();
    known.retain(|migration| migration.prefix().to_string() == "V");
    known
}

fn newest_known() -> i32 {
    let versions = known();
    versions
        .iter()
        .map(refinery::Migration::version)
        .max()
        .unwrap_or(0)
}

async fn lock(connection: &mut PgConnection) -> Result<(), Error> {
    let begun = std::time::Instant::now();
    loop {
        let held = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "held!""#, LOCK_KEY)
            .fetch_one(&mut *connection)
            .await?;
        if held {
            return Ok(());
        }
        if begun.elapsed() > LOCK_PATIENCE {
            return Err(Error::Schema(
                "another process has been migrating for ten minutes: look for it in pg_locks"
                    .into(),
            ));
        }
        tokio::time::sleep(jittered(LOCK_POLL)).await;
    }
}

async fn unlock(connection: &mut PgConnection) {
    let unlocked = sqlx::query!("select pg_advisory_unlock($1) as held", LOCK_KEY)
        .fetch_one(connection)
        .await;
    if let Err(error) = unlocked {
        // The lock ends with its session.
        tracing::debug!(%error, "the migrators' lock was not given up in order");
    }
}
