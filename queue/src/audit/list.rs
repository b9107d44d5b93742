//! The audit log by time, newest first.
//!
//! There is no index by time on the log, which is written by every commit: only a summary of which
//! ids lie in which pages (BRIN), because ids grow with the clock. It cannot give an order. So the
//! log is read in windows of time, each twice as long as the one before until a page is full, and
//! sorted within the window. Of one entity an index gives the records directly.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use serde_json::Value;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::AuditRecord;
use crate::run::bounds::{earlier, smallest_id};
use crate::{Error, Store};

/// The first window; at full load it holds some thousand records.
const WINDOW_MIN: TimeDelta = TimeDelta::seconds(1);
/// How long one page may take: beyond it the page ends early, with a cursor.
const PAGE_TIME_MAX: Duration = Duration::from_secs(2);

/// Which records are listed.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub entity_type: Option<String>,
    pub entity_id: Option<Uuid>,
    pub actor: Option<String>,
    pub action: Option<String>,
    /// From this millisecond on.
    pub from: Option<Time>,
    /// Before this millisecond.
    pub to: Option<Time>,
    /// Older than this record.
    pub before: Option<Uuid>,
    pub limit: i64,
}

/// One page.
#[derive(Debug)]
pub struct AuditPage {
    pub records: Vec<AuditRecord>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<Uuid>,
}

impl Store {
    /// Lists audit records, newest first. A page may end early, where few records fit.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn audit_page(&self, filter: &AuditFilter) -> Result<AuditPage, Error> {
        let from = filter.from.map_or(Uuid::nil(), smallest_id);
        let to = filter.to.map_or(Uuid::max(), smallest_id);
        let top = filter.before.map_or(to, |before| before.min(to));
        let wanted = filter.limit + 1;
        if filter.entity_id.is_some() {
            let records = self.audit_between(filter, from, top, wanted).await?;
            return Ok(page(records, filter.limit));
        }
        let begun = Instant::now();
        let floor = from.max(self.first_audit_day().await?);
        let mut records: Vec<AuditRecord> = Vec::new();
        // The first window also takes what clocks that are ahead of ours have written.
        let mut upper = top;
        let mut lower = top.min(smallest_id(crate::clock::now()));
        let mut window = WINDOW_MIN;
        while upper > floor && lower > floor {
            lower = earlier(lower, window).max(floor);
            let missing = wanted - i64::try_from(records.len()).unwrap_or(wanted);
            records.extend(self.audit_between(filter, lower, upper, missing).await?);
            if i64::try_from(records.len()).is_ok_and(|found| found >= wanted) {
                return Ok(page(records, filter.limit));
            }
            upper = lower;
            window = window * 2;
            if begun.elapsed() > PAGE_TIME_MAX && upper > from {
                return Ok(AuditPage {
                    records,
                    next: Some(upper),
                });
            }
        }
        // Before the first day there is only what no day takes.
        if upper > from {
            let missing = wanted - i64::try_from(records.len()).unwrap_or(wanted);
            records.extend(self.audit_between(filter, from, upper, missing).await?);
        }
        Ok(page(records, filter.limit))
    }

    /// Returns the smallest id of the first day that has a partition.
    async fn first_audit_day(&self) -> Result<Uuid, Error> {
        let day = sqlx::query_scalar!(
            r#"select min(to_date(right(part.relname, 8), 'YYYYMMDD'))::timestamp at time zone 'utc' as day
               from pg_inherits i join pg_class part on part.oid = i.inhrelid
               where i.inhparent = 'stepwell.audit'::regclass and part.relname ~ '^audit_[0-9]{8}$'"#
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(day.map_or(Uuid::nil(), smallest_id))
    }

    /// Reads the newest records of a range of ids.
    async fn audit_between(
        &self,
        filter: &AuditFilter,
        from: Uuid,
        to: Uuid,
        limit: i64,
    ) -> Result<Vec<AuditRecord>, Error> {
        let records = sqlx::query_file_as!(
            AuditRecord,
            "queries/audit/list.sql",
            from,
            to,
            filter.entity_type,
            filter.entity_id,
            filter.actor,
            filter.action,
            limit,
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(records)
    }
}

/// Cuts what was read to the page that was asked for.
fn page(mut records: Vec<AuditRecord>, limit: i64) -> AuditPage {
    let limit = usize::try_from(limit).unwrap_or(0);
    let more = records.len() > limit;
    records.truncate(limit);
    let last = records.last().map(|record| record.id);
    AuditPage {
        records,
        next: last.filter(|_| more),
    }
}
