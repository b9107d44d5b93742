//! Old days leave whole: their partitions are detached and dropped, which costs the same however much
//! they hold and leaves nothing for vacuum to do. A day with a run that is not over stays until it is.
//!
//! To detach a partition, Postgres wants its parent for itself for a moment. While it waits for that,
//! everybody who comes later waits behind it: so it waits shortly, and tries again with the next look.

use chrono::NaiveDate;
use sqlx::{Connection as _, PgConnection};

use crate::{Error, Store};

/// How long a detachment waits for its locks, and with it whoever comes behind it.
const LOCK_TIMEOUT: &str = "50ms";
/// Days that go in one look: the first look after a long time is not to be a long pause.
const DAYS_PER_LOOK: i64 = 100;

/// What is kept for how long; without a number, for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Whole days that runs and their steps are kept after the day on which they began.
    pub run_days: Option<u16>,
    /// Whole days that audit records are kept: they outlive what they tell of.
    pub audit_days: Option<u16>,
}

/// Tables that share their days.
struct Group {
    parents: &'static [&'static str],
    days: Option<u16>,
}

impl Store {
    /// Drops the days that have had their time. Returns the number of tables dropped.
    ///
    /// # Errors
    /// [`Error::Unavailable`]. What was not done is done by the next call.
    pub async fn retain(&self) -> Result<usize, Error> {
        let Retention {
            run_days,
            audit_days,
        } = self.options.retention;
        let groups = [
            Group {
                parents: &["run", "step", "result", "log"],
                days: run_days,
            },
            Group {
                parents: &["audit"],
                days: audit_days,
            },
        ];
        let mut dropped = 0;
        for Group { parents, days } in groups {
            let Some(days) = days else { continue };
            let parents: Vec<_> = parents.iter().map(|&name| name.to_owned()).collect();
            self.detach_days(&parents, days).await?;
            dropped += self.drop_detached(&parents, days).await?;
        }
        if dropped > 0 {
            tracing::info!(
                dropped,
                "dropped the tables of days that are kept no longer"
            );
        }
        Ok(dropped)
    }

    async fn detach_days(&self, parents: &[String], keep: u16) -> Result<(), Error> {
        let days = sqlx::query_scalar!(
            r#"select distinct to_date(right(c.relname, 8), 'YYYYMMDD') as "day!"
               from pg_inherits i
               join pg_class c on c.oid = i.inhrelid
               join pg_class p on p.oid = i.inhparent
               where p.relnamespace = 'stepwell'::regnamespace and p.relname = any ($1)
                 and c.relname ~ '_[0-9]{8}$'
                 and to_date(right(c.relname, 8), 'YYYYMMDD') < (now() at time zone 'utc')::date - $2::int
               order by 1 limit $3"#,
            parents,
            i32::from(keep),
            DAYS_PER_LOOK,
        )
        .fetch_all(&self.pool)
        .await?;
        for day in days {
            let mut connection = self.pool.acquire().await?;
            let mut transaction = connection.begin().await?;
            sqlx::query!("select set_config('lock_timeout', $1, true)", LOCK_TIMEOUT)
                .fetch_one(&mut *transaction)
                .await?;
            let detached = sqlx::query_scalar!("select stepwell.detach_day($1, $2)", day, parents)
                .fetch_one(&mut *transaction)
                .await;
            match detached {
                Ok(_) => {
                    if parents.iter().any(|parent| parent == "run") {
                        forget_outcomes(&mut transaction, day).await?;
                    }
                    transaction.commit().await?;
                }
                Err(error) if waits(&error) => {
                    tracing::debug!(%day, %error, "a day stays for now");
                    transaction.rollback().await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Drops what was detached: nobody knows these tables any more, so nobody waits.
    async fn drop_detached(&self, parents: &[String], keep: u16) -> Result<usize, Error> {
        let tables = sqlx::query_scalar!(
            r#"select c.relname as "name!" from pg_class c
               where c.relnamespace = 'stepwell'::regnamespace and c.relkind = 'r' and not c.relispartition
                 and left(c.relname, -9) = any ($1) and c.relname ~ '_[0-9]{8}$'
                 and to_date(right(c.relname, 8), 'YYYYMMDD') < (now() at time zone 'utc')::date - $2::int
               order by 1"#,
            parents,
            i32::from(keep),
        )
        .fetch_all(&self.pool)
        .await?;
        for name in &tables {
            // The name is one of ours and eight digits.
            let statement = sqlx::AssertSqlSafe(format!("drop table if exists stepwell.{name}"));
            sqlx::query(statement).execute(&self.pool).await?;
        }
        Ok(tables.len())
    }
}

/// Runs of that day that did not complete leave the lists by status.
async fn forget_outcomes(connection: &mut PgConnection, day: NaiveDate) -> Result<(), Error> {
    sqlx::query!(
        "delete from stepwell.run_outcome
         where status in ('failed', 'cancelled', 'timed_out')
           and run_id >= stepwell.uuid7_bound($1::date::timestamp at time zone 'utc')
           and run_id < stepwell.uuid7_bound(($1::date + 1)::timestamp at time zone 'utc')",
        day
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a day could not go yet: a lock was not to be had, or a run of it is not over.
fn waits(error: &sqlx::Error) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    // lock_not_available, deadlock_detected, object_in_use
    matches!(code.as_deref(), Some("55P03" | "40P01" | "55006"))
}
