//! Keeps the tail of the audit log cheap to find. Its block range index costs writers next to nothing
//! because it says nothing of new pages: whoever reads the feed has them summed up now and then, so that a
//! reading walks the records of the last seconds and not of the day.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Error, Store, transaction};

/// How often pages are summed up: until then each reading walks them, at full load some ten thousand rows.
const EVERY: Duration = Duration::from_secs(5);
/// How long a lock is waited for: a vacuum holds it, and it sums up as well.
const LOCK_TIMEOUT: &str = "100ms";
/// The advisory lock of the summary: one process at a time is enough.
const LOCK_KEY: i64 = 0x5354_4550_0002;

/// When the pages were last summed up.
#[derive(Debug, Default)]
pub(super) struct Summary(Mutex<Option<Instant>>);

impl Summary {
    /// Says whether it is time again, once for each time.
    fn is_due(&self) -> bool {
        // A point in time is whole whatever happened.
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| last.elapsed() >= EVERY);
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Store {
    /// Sums up new pages of the audit log if it is time. Without that, readings are dearer, not wrong.
    pub(super) async fn summarise(&self) {
        if self.feed.summary.is_due()
            && let Err(error) = self.sum_up().await
        {
            tracing::debug!(%error, "the audit log's new pages are summed up later");
        }
    }

    async fn sum_up(&self) -> Result<(), Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = transaction::begin(&mut connection).await?;
        sqlx::query!("select set_config('lock_timeout', $1, true)", LOCK_TIMEOUT)
            .fetch_one(&mut *transaction)
            .await?;
        sqlx::query!(
            r#"select count(brin_summarize_new_values(i.indexrelid)) as made
               from pg_index i
               join pg_class part on part.oid = i.indrelid
               join pg_class c on c.oid = i.indexrelid
               join pg_am m on m.oid = c.relam
               where m.amname = 'brin'
                 and part.relnamespace = 'stepwell'::regnamespace
                 and part.relname in ('audit_default',
                                      'audit_' || to_char(now() at time zone 'utc', 'YYYYMMDD'),
                                      'audit_' || to_char(now() at time zone 'utc' - interval '1 day', 'YYYYMMDD'))
                 and (select pg_try_advisory_xact_lock($1))"#,
            LOCK_KEY
        )
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(())
    }
}
