//! Keeps partitions ahead of time, and old keys and rows from piling up, and looks daily whether all is as
//! it must be. Runs in every process; an advisory lock lets one of them work.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backoff::{Backoff, jittered};
use crate::{Error, Store, transaction};

/// Days that have their partitions before they begin: a long weekend without any process does no
/// harm. Not more, because every plan and every statement looks at each of them.
const DAYS_AHEAD: i32 = 3;
/// When the maintenance first looks, where today's partitions are there.
const FIRST_LOOK: Duration = Duration::from_secs(2);
/// How often the maintenance looks.
const EVERY: Duration = Duration::from_secs(600);
/// How long it waits for a lock: whoever queues behind it waits as long. It tries again later.
const LOCK_TIMEOUT: &str = "50ms";
/// The advisory lock of the maintenance, any number that nobody else uses.
const LOCK_KEY: i64 = 0x5354_4550_0001;
/// Rows removed in one statement.
const PURGED_PER_STATEMENT: i64 = 5_000;
/// Idempotency keys are kept for this long, and a little longer until the next maintenance.
const KEYS_KEPT_HOURS: i32 = 24;
/// Workers that ended are shown for this long.
const WORKERS_KEPT_DAYS: i32 = 30;

impl Store {
    /// Does what is due, unless another process is at it. Returns the number of partitions made.
    ///
    /// # Errors
    /// [`Error::Unavailable`], also when a lock was not to be had in time.
    pub async fn maintain_once(&self) -> Result<i32, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        let alone = sqlx::query_scalar!(
            r#"select pg_try_advisory_xact_lock($1) as "alone!""#,
            LOCK_KEY
        )
        .fetch_one(&mut *transaction)
        .await?;
        if !alone {
            return Ok(0);
        }
        sqlx::query!("select set_config('lock_timeout', $1, true)", LOCK_TIMEOUT)
            .fetch_one(&mut *transaction)
            .await?;
        let made = sqlx::query_scalar!(
            r#"select stepwell.make_partitions($1) as "made!""#,
            DAYS_AHEAD
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        drop(connection);
        self.purge().await?;
        self.retain().await?;
        self.purge_deliveries().await?;
        for table in self.partition_alarm().await? {
            tracing::error!(
                table,
                "rows are in a default partition: a clock is wrong, or the maintenance was late"
            );
        }
        Ok(made)
    }

    /// Returns the default partitions that hold rows; there should be none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn partition_alarm(&self) -> Result<Vec<String>, Error> {
        let row = sqlx::query!(
            r#"select exists (select from stepwell.run_default) as "run!",
                      exists (select from stepwell.step_default) as "step!",
                      exists (select from stepwell.audit_default) as "audit!",
                      exists (select from stepwell.result_default) as "result!",
                      exists (select from stepwell.log_default) as "log!""#
        )
        .fetch_one(&self.pool)
        .await?;
        let tables = [
            (row.run, "run_default"),
            (row.step, "step_default"),
            (row.audit, "audit_default"),
            (row.result, "result_default"),
            (row.log, "log_default"),
        ];
        let used = tables.into_iter().filter(|(used, _)| *used);
        Ok(used.map(|(_, name)| name.to_owned()).collect())
    }

    /// Does the maintenance now and then, until `stop`. Workers do it by themselves.
    pub async fn maintain(&self, stop: CancellationToken) {
        maintain(self.clone(), true, stop).await;
    }

    /// Removes what has had its time, in bounded statements.
    async fn purge(&self) -> Result<(), Error> {
        loop {
            let keys = sqlx::query!(
                "delete from stepwell.idempotency where ctid = any (array(
                     select ctid from stepwell.idempotency
                     where created_at < now() - make_interval(hours => $1) limit $2))",
                KEYS_KEPT_HOURS,
                PURGED_PER_STATEMENT
            )
            .execute(&self.pool)
            .await?;
            if i64::try_from(keys.rows_affected()).is_ok_and(|n| n < PURGED_PER_STATEMENT) {
                break;
            }
        }
        sqlx::query!(
            "delete from stepwell.worker where freed_at < now() - make_interval(days => $1)",
            WORKERS_KEPT_DAYS
        )
        .execute(&self.pool)
        .await?;
        // Messages that crossed with the end of their run.
        sqlx::query!(
            "delete from stepwell.inbox where id = any (array(
                 select i.id from stepwell.inbox i
                 where i.created_at < now() - interval '1 hour'
                   and not exists (select from stepwell.job j where j.run_id = i.run_id)
                 limit $1))",
            PURGED_PER_STATEMENT
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// The loop. `urgent`: the partitions of the day may be missing; otherwise it lets the process begin
/// with its work first.
pub(crate) async fn maintain(store: Store, urgent: bool, stop: CancellationToken) {
    let mut backoff = Backoff::new();
    let mut delay = (!urgent).then_some(FIRST_LOOK);
    loop {
        if let Some(delay) = delay.take() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = store.desk.closing.cancelled() => return,
                () = tokio::time::sleep(delay) => {}
            }
        }
        let done = store.maintain_once().await;
        // A database in trouble is left in peace.
        let look = done.is_ok();
        let wait = match done {
            Ok(made) => {
                if made > 0 {
                    tracing::info!(made, "made partitions ahead");
                }
                backoff.reset();
                jittered(EVERY)
            }
            Err(error) => {
                tracing::warn!(%error, "the maintenance of partitions is tried again");
                backoff.step()
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = store.desk.closing.cancelled() => return,
            () = look_and_sleep(&store, look, wait) => {}
        }
    }
}

/// What may take its time, and is left at any moment.
async fn look_and_sleep(store: &Store, look: bool, wait: Duration) {
    if look && let Err(error) = store.look_daily().await {
        tracing::warn!(%error, "the daily look at the invariants is tried again");
    }
    tokio::time::sleep(wait).await;
}
