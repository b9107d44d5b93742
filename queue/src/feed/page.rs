//! All records from a cursor on, a page at a time.
//!
//! A page is what a later snapshot sees and the cursor's does not. It is sorted by time, so it is read in
//! slices of time, each twice as long as an empty one before: a backlog of days is not sorted as one.

use std::sync::Arc;

use chrono::TimeDelta;
use stepwell_workflow::Time;

use super::cursor::{Cursor, Place};
use super::record::{FeedRecord, json};
use super::snapshot::Snapshot;
use crate::run::bounds::smallest_id;
use crate::{Error, Store};

/// The first slice: at full load this is some ten thousand records to sort.
const SLICE_FIRST: TimeDelta = TimeDelta::seconds(2);
/// The longest slice.
const SLICE_MAX: TimeDelta = TimeDelta::days(3_650);
/// How much older than its record's time an id may be: it was made before the commit was tried, maybe
/// by another clock. Within this, a day's partition more is looked into.
const ID_AGE_MAX: TimeDelta = TimeDelta::days(1);
/// How long a transaction may have been at work that the database tells nothing about: sessions of
/// other users show no times.
const UNKNOWN_AGE_MAX: TimeDelta = TimeDelta::days(1);

/// A record, and how far its reader has come with it.
#[derive(Clone, Debug)]
pub struct Fed {
    pub record: Arc<FeedRecord>,
    /// Reading goes on after this record from here.
    pub cursor: Cursor,
    pub(super) transaction: u64,
}

/// What came into sight after a cursor.
#[derive(Debug)]
pub struct FeedPage {
    /// By time; the records of one entity in the order of their numbers.
    pub records: Vec<Fed>,
    /// Where the next page begins. It moves on even when there is no record.
    pub cursor: Cursor,
    /// Whether there may be more at this moment.
    pub more: bool,
    /// The cursor was of another database, and reading began anew at its time.
    pub anew: bool,
}

impl Store {
    /// Returns the cursor after everything that is visible now.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn feed_now(&self) -> Result<Cursor, Error> {
        let row = sqlx::query!(
            r#"select s.snapshot::text as "snapshot!", now() as "at!",
                      array(select x.xid::text from pg_snapshot_xip(s.snapshot) as x (xid)) as "running!",
                      array(select (select min(a.xact_start) from pg_stat_activity a
                                    where a.backend_xid::text = ((x.xid::text::numeric) % 4294967296)::text)
                            from pg_snapshot_xip(s.snapshot) as x (xid)) as "since!: Vec<Option<Time>>"
               from pg_current_snapshot() as s (snapshot)"#
        )
        .fetch_one(&self.pool)
        .await?;
        let since = |transaction: u64| {
            let place = row
                .running
                .iter()
                .position(|id| id.parse() == Ok(transaction));
            let known = place.and_then(|n| row.since.get(n).copied().flatten());
            known.unwrap_or(row.at - UNKNOWN_AGE_MAX)
        };
        Snapshot::read(&row.snapshot, row.at, since)
            .map(|seen| Cursor::after(Arc::new(seen)))
            .ok_or_else(|| Error::Corrupt(format!("a snapshot: {}", row.snapshot)))
    }

    /// Reads at most `limit` records (at least 1) that have become visible after `cursor`, each exactly
    /// once, whoever wrote them and however long their transaction took.
    ///
    /// A cursor from the future belongs to another database, such as the one that this was restored from:
    /// then everything from its time on is read, and what was read there before may come once more.
    ///
    /// Records of one entity keep their order within what is visible together; a transaction that has
    /// long been open delays its own records only.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn records_after(&self, cursor: &Cursor, limit: usize) -> Result<FeedPage, Error> {
        let limit = limit.max(1);
        let mut anew = false;
        let mut seen = Arc::clone(&cursor.seen);
        let (until, mut from, resumed) = match &cursor.window {
            Some((until, place)) => (Arc::clone(until), *place, true),
            None => {
                let until = Arc::new(self.snapshot_after(&seen).await?);
                anew = !seen.precedes(&until);
                if anew {
                    seen = Arc::new(seen.nothing());
                }
                if seen.same(&until) {
                    return Ok(FeedPage {
                        records: Vec::new(),
                        cursor: Cursor::after(until),
                        more: false,
                        anew,
                    });
                }
                let from = Place::before(seen.unseen_since(&until));
                (until, from, false)
            }
        };
        self.summarise().await;
        let mut rows = Vec::new();
        let mut slice = SLICE_FIRST;
        loop {
            let end = Some(from.at + slice).filter(|end| *end <= until.at);
            let wanted = limit + 1 - rows.len();
            rows.extend(self.slice(&seen, &until, from, end, wanted).await?);
            match end {
                Some(end) if rows.len() <= limit => from = Place::before(end),
                _ => break,
            }
            slice = (slice * 2).min(SLICE_MAX);
        }
        let more = rows.len() > limit;
        rows.truncate(limit);
        let within = |place| Cursor {
            seen: Arc::clone(&seen),
            window: Some((Arc::clone(&until), place)),
        };
        let end = match rows.last() {
            Some((place, ..)) if more => within(*place),
            _ => Cursor::after(Arc::clone(&until)),
        };
        let last = rows.len().saturating_sub(1);
        let records = rows
            .into_iter()
            .enumerate()
            .map(|(n, (place, transaction, record))| Fed {
                record: Arc::new(record),
                cursor: if n == last {
                    end.clone()
                } else {
                    within(place)
                },
                transaction,
            })
            .collect();
        Ok(FeedPage {
            records,
            cursor: end,
            // What came into sight while the old page was in hand.
            more: more || resumed,
            anew,
        })
    }

    /// Takes a snapshot; of transactions that `before` does not know it is known that they are younger.
    async fn snapshot_after(&self, before: &Snapshot) -> Result<Snapshot, Error> {
        // `now` is read before the snapshot is taken.
        let row =
            sqlx::query!(r#"select pg_current_snapshot()::text as "snapshot!", now() as "at!""#)
                .fetch_one(&self.pool)
                .await?;
        let born = |id| before.running(id).unwrap_or(before.at.min(row.at));
        Snapshot::read(&row.snapshot, row.at, born)
            .ok_or_else(|| Error::Corrupt(format!("a snapshot: {}", row.snapshot)))
    }

    /// Reads records between two snapshots from `from` on and before `end`.
    async fn slice(
        &self,
        seen: &Snapshot,
        until: &Snapshot,
        from: Place,
        end: Option<Time>,
        limit: usize,
    ) -> Result<Vec<(Place, u64, FeedRecord)>, Error> {
        let oldest = seen.unseen_since(until).min(from.at);
        let rows = sqlx::query_file!(
            "queries/feed/window.sql",
            seen.to_postgres(),
            until.to_postgres(),
            from.at,
            smallest_id(oldest - ID_AGE_MAX),
            end.unwrap_or_else(far),
            from.at,
            from.entity_id,
            from.sequence,
            i64::try_from(limit).unwrap_or(i64::MAX),
            seen.sees_nothing(),
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter()
            .map(|row| {
                let place = Place {
                    at: row.at,
                    entity_id: row.entity_id,
                    sequence: row.sequence,
                };
                let transaction = row
                    .xid
                    .parse()
                    .map_err(|_| Error::Corrupt(format!("a transaction id: {}", row.xid)))?;
                let record = FeedRecord {
                    id: row.id,
                    at: row.at,
                    entity_type: row.entity_type,
                    entity_id: row.entity_id,
                    sequence: row.sequence,
                    step: row.step,
                    action: row.action,
                    before: json(row.before)?,
                    after: json(row.after_value)?,
                    detail: json(row.detail)?,
                    actor: row.actor,
                    request_id: row.request_id,
                    workflow_id: row.workflow_id,
                    workflow_name: row.workflow_name,
                };
                Ok((place, transaction, record))
            })
            .collect()
    }
}

/// After every record: the year 9999, which Postgres and all clients can write.
fn far() -> Time {
    Time::from_timestamp(253_402_300_799, 0).unwrap_or(Time::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_far_end_is_after_everything() {
        assert_eq!(far().to_rfc3339(), "9999-12-31T23:59:59+00:00");
        assert_eq!(smallest_id(Time::UNIX_EPOCH - ID_AGE_MAX), Uuid::nil());
    }
}
