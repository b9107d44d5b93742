//! Statements about runs of one day name that day's partitions.
//!
//! A statement over a whole partitioned table opens the partitions of all days: for its plan, and again for each
//! execution, before it finds out which is meant. With ninety days of history that is more work than a claim
//! or a commit itself. So the statements are written, and checked, over the whole tables; and where all runs that
//! one of them is about began on one day, it goes over [`On::connection`], which exchanges the names.

mod named;

use std::time::Duration;

use chrono::{Datelike as _, NaiveDate};
use moka::future::Cache;
use sqlx::{AssertSqlSafe, Error, PgConnection, SqlSafeStr as _, SqlStr};
use uuid::Uuid;

use crate::error::sql_state;
use crate::run::bounds::created_at;
use named::Named;

/// The tables whose names are exchanged, by the aliases under which such statements know them.
const TABLES: [(&str, &str, char); 2] = [
    ("stepwell.run r", "run", 'r'),
    ("stepwell.step t", "step", 't'),
];
/// The state of a statement that names a table which is not there.
const UNDEFINED_TABLE: &str = "42P01";
/// Later years have names that are not made like `stepwell.make_partitions` makes them.
const YEAR_MAX: i32 = 9999;
/// Days that are remembered: more than live runs come from at a time.
const REMEMBERED_MAX: u64 = 100;
/// How long. Retention drops no day that has live runs; somebody may by hand, and then claims come right
/// by themselves after this time.
const REMEMBERED_FOR: Duration = Duration::from_secs(60);

/// The days that have their partitions, as this process saw it.
#[derive(Clone, Debug)]
pub(crate) struct Days {
    there: Cache<NaiveDate, ()>,
}

/// Which partitions a statement is run on: those of a day, or of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct On(Option<NaiveDate>);

impl Days {
    pub(crate) fn new() -> Self {
        let there = Cache::builder()
            .max_capacity(REMEMBERED_MAX)
            .time_to_live(REMEMBERED_FOR);
        Self {
            there: there.build(),
        }
    }

    /// Today: most runs that are claimed were just started.
    ///
    /// # Errors
    /// Those of the connection.
    pub(crate) async fn today(&self, connection: &mut PgConnection) -> Result<On, Error> {
        self.on(connection, crate::clock::now().date_naive()).await
    }

    /// The day on which all these runs began; today, if there are none.
    ///
    /// # Errors
    /// Those of the connection.
    pub(crate) async fn of(
        &self,
        connection: &mut PgConnection,
        run_ids: impl IntoIterator<Item = Uuid>,
    ) -> Result<On, Error> {
        let mut days = run_ids.into_iter().map(day);
        match days.next() {
            None => self.today(connection).await,
            Some(Some(first)) if days.all(|day| day == Some(first)) => {
                self.on(connection, first).await
            }
            Some(_) => Ok(On::ALL),
        }
    }

    async fn on(&self, connection: &mut PgConnection, day: NaiveDate) -> Result<On, Error> {
        if self.there.contains_key(&day) {
            return Ok(On(Some(day)));
        }
        // A day that the maintenance has not made lies in the default partitions.
        let there = sqlx::query_scalar!(
            r#"select count(*) = 2 as "there!" from pg_inherits
               where inhparent in ('stepwell.run'::regclass, 'stepwell.step'::regclass)
                 and inhrelid in (to_regclass($1), to_regclass($2)) and not inhdetachpending
                 and has_table_privilege(inhrelid, 'select') and has_table_privilege(inhrelid, 'update')"#,
            partition("run", day),
            partition("step", day)
        )
        .fetch_one(connection)
        .await?;
        if there {
            self.there.insert(day, ()).await;
        }
        Ok(On(there.then_some(day)))
    }
}

impl On {
    pub(crate) const ALL: Self = Self(None);

    /// The connection, for a statement about these partitions.
    pub(crate) fn connection(self, connection: &mut PgConnection) -> Named<'_> {
        Named::new(connection, self)
    }

    fn rename(self, sql: SqlStr) -> SqlStr {
        let Some(day) = self.0 else { return sql };
        let mut named = sql.as_str().to_owned();
        for (written, table, alias) in TABLES {
            named = named.replace(written, &format!("{} {alias}", partition(table, day)));
        }
        AssertSqlSafe(named).into_sql_str()
    }
}

/// Whether a statement came too late for its day: retention, which drops days without live runs, was there since
/// the day was remembered.
pub(crate) fn is_gone(error: &Error) -> bool {
    sql_state(error).as_deref() == Some(UNDEFINED_TABLE)
}

/// The day on which a run with this id began. `None`: no day that a partition has.
fn day(run_id: Uuid) -> Option<NaiveDate> {
    let day = created_at(run_id)?.date_naive();
    (day.year() <= YEAR_MAX).then_some(day)
}

/// As `stepwell.make_partitions` names them.
fn partition(table: &str, day: NaiveDate) -> String {
    format!("stepwell.{table}_{}", day.format("%Y%m%d"))
}
