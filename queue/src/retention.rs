//! Old days leave whole: their partitions are detached and dropped, which costs the same however much
//! they hold and leaves nothing for vacuum to do. A day with a run that is not over stays until it is.
//!
//! To detach a partition, Postgres wants its parent for itself for a moment. While it waits for that,
//! everybody who comes later waits behind it: so all parents are asked for at once, before anything else is
//! done, and not for long; what fails is tried again.

use std::time::Duration;

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::backoff::jittered;
use crate::error::sql_state;
use crate::{Error, Store, transaction};

/// How long a detachment waits for each of its locks, and with it whoever comes behind it: longer than most
/// commits take, and two of them, for steps and runs, well within the 100 ms that nobody should notice.
const LOCK_TIMEOUT: &str = "30ms";
/// How long the server waits for the commit once the day is out: everybody else waits as long, should this process be
/// lost in between.
const SILENCE_MAX: &str = "1s";
/// How often it is tried in one look, and how long after the last time.
const ATTEMPTS: u32 = 10;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);
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
    /// In the order in which commits write them: who asks the other way round waits for a commit that
    /// waits for him.
    parents: &'static [&'static str],
    days: Option<u16>,
}

/// What came of taking a day out of its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detached {
    Done,
    /// Somebody held what it takes; he may be gone in a moment.
    Held,
    /// A run of that day is not over.
    InUse,
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
                parents: &["step", "run", "result", "log"],
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
            let mut attempts = 1;
            while self.detach_day(parents, day).await? == Detached::Held && attempts < ATTEMPTS {
                attempts += 1;
                tokio::time::sleep(jittered(BETWEEN_ATTEMPTS)).await;
            }
        }
        Ok(())
    }

    /// Tries to take one day out of these tables.
    async fn detach_day(&self, parents: &[String], day: NaiveDate) -> Result<Detached, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        // First what takes its time and is in nobody's way.
        if parents.iter().any(|parent| parent == "run") {
            if is_in_use(&mut transaction, day).await? {
                return Ok(Detached::InUse);
            }
            forget_outcomes(&mut transaction, day).await?;
        }
        sqlx::query!(
            "select set_config('lock_timeout', $1, true) as locks,
                    set_config('idle_in_transaction_session_timeout', $2, true) as silence",
            LOCK_TIMEOUT,
            SILENCE_MAX
        )
        .fetch_one(&mut *transaction)
        .await?;
        let detached = sqlx::query_scalar!("select stepwell.detach_day($1, $2)", day, parents)
            .fetch_one(&mut *transaction)
            .await;
        match detached {
            Ok(_) => {
                transaction.commit().await?;
                Ok(Detached::Done)
            }
            Err(error) if is_held(&error) => {
                tracing::debug!(%day, %error, "a day stays for now");
                transaction.rollback().await?;
                Ok(Detached::Held)
            }
            Err(error) => Err(error.into()),
        }
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

/// Whether a run of that day is not over. Asked again when the day is ours: this spares the locks.
async fn is_in_use(connection: &mut PgConnection, day: NaiveDate) -> Result<bool, Error> {
    let used = sqlx::query_scalar!(
        r#"select exists (
               select from stepwell.job
               where run_id >= stepwell.uuid7_bound($1::date::timestamp at time zone 'utc')
                 and run_id < stepwell.uuid7_bound(($1::date + 1)::timestamp at time zone 'utc')) as "used!""#,
        day
    )
    .fetch_one(connection)
    .await?;
    Ok(used)
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

/// Whether a day could not go yet: a lock was not to be had, or a run of it was taken up again just now.
fn is_held(error: &sqlx::Error) -> bool {
    // lock_not_available, deadlock_detected, object_in_use
    matches!(
        sql_state(error).as_deref(),
        Some("55P03" | "40P01" | "55006")
    )
}
