//! External work: a client in any language polls for it, holds it by a lease, and reports by the
//! lease's token. At least once: when a lease is over, the same attempt can be taken again, under a new
//! token. Results come in through `crate::deliver`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::{Call, Failure, Time};
use uuid::Uuid;

use crate::deliver::{Delivered, Door};
use crate::detached::{Place, Report, key, place};
use crate::text::clean;
use crate::token::{For, Token};
use crate::{Actor, Error, Store};

/// Items of one poll: a batch that a small process works off within its lease.
pub const ITEMS_MAX: u32 = 100;
/// Bytes of input in one answer, unless a single item has more.
const BYTES_MAX: i64 = 8 << 20;
/// How long an item is leased when nothing else is said.
pub const LEASE_DEFAULT: Duration = Duration::from_secs(60);
/// The shortest lease leaves time for an answer, the longest is noticed within a working day's hour.
pub const LEASE_MIN: Duration = Duration::from_secs(1);
pub const LEASE_MAX: Duration = Duration::from_secs(60 * 60);
/// Overdue items that are failed at a time.
const OVERDUE_MAX: i64 = 100;

/// A piece of work that somebody holds now.
#[derive(Debug)]
pub struct Leased {
    pub token: String,
    pub run_id: Uuid,
    pub workflow: String,
    /// `score` or `score[17]`.
    pub step: String,
    pub attempt: u32,
    pub generation: i32,
    pub input: Arc<Value>,
    pub until: Time,
}

impl Store {
    /// Leases up to `max` items of a topic to `holder`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn poll_external(
        &self,
        topic: &str,
        max: u32,
        lease: Duration,
        holder: &str,
    ) -> Result<Vec<Leased>, Error> {
        let signer = self.signer().await?;
        let rows = sqlx::query_file!(
            "queries/detached/poll.sql",
            &*clean(topic),
            i64::from(max.min(ITEMS_MAX)),
            &*clean(holder),
            lease.as_secs_f64(),
            BYTES_MAX,
        )
        .fetch_all(&self.pool)
        .await?;
        let mut leased = Vec::with_capacity(rows.len());
        for row in rows {
            let place = Place {
                run_id: row.run_id,
                key: key(row.step, row.item),
                generation: row.generation,
                attempt: u32::try_from(row.attempt).unwrap_or(0),
            };
            let call = serde_json::from_str(&row.call)
                .map_err(|error| Error::Corrupt(format!("work of {}: {error}", row.run_id)))?;
            let Call::External { input, .. } = call else {
                return Err(Error::Corrupt(format!("work of {}", row.run_id)));
            };
            leased.push(Leased {
                token: signer.external(place, row.lease),
                run_id: row.run_id,
                workflow: row.workflow,
                step: row.name,
                attempt: place.attempt,
                generation: place.generation,
                input,
                until: row.due_at,
            });
        }
        Ok(leased)
    }

    /// Holds an item for longer; returns until when.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn hold_external(
        &self,
        token: &str,
        lease: Duration,
    ) -> Result<Result<Time, Delivered>, Error> {
        let token = match self.admit_token(token, Door::External).await? {
            Ok(token) => token,
            Err(refused) => return Ok(Err(refused)),
        };
        let For::External { lease: number } = token.purpose else {
            return Ok(Err(Delivered::Unknown));
        };
        let (step, item) = place(token.place.key);
        let row = sqlx::query!(
            r#"with held as (
                   update stepwell.detached
                   set due_at = clock_timestamp() + make_interval(secs => $7::float8)
                   where run_id = $1 and step = $2 and item = $3 and generation = $4 and attempt = $5
                     and lease = $6 and kind = 'external'
                   returning due_at)
               select (select due_at from held) as until,
                      exists (select from stepwell.detached
                              where run_id = $1 and step = $2 and item = $3 and generation = $4
                                and attempt = $5) as "exists!""#,
            token.place.run_id,
            step,
            item,
            token.place.generation,
            i16::try_from(token.place.attempt).unwrap_or(i16::MAX),
            number,
            lease.as_secs_f64(),
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(match row.until {
            Some(until) => Ok(until),
            None if row.exists => Err(Delivered::LeaseLost),
            None => Err(Delivered::Over),
        })
    }
}

/// Fails work that may be done once at most and whose lease is over: nobody knows whether it was done.
pub(crate) async fn lose_overdue(
    connection: &mut PgConnection,
    store: &Store,
) -> Result<(), Error> {
    let overdue = sqlx::query!(
        "select run_id, step, item, generation, attempt, lease from stepwell.detached
         where kind = 'external' and once and lease > 0 and due_at < clock_timestamp()
         order by due_at limit $1",
        OVERDUE_MAX
    )
    .fetch_all(connection)
    .await?;
    for row in overdue {
        let place = Place {
            run_id: row.run_id,
            key: key(row.step, row.item),
            generation: row.generation,
            attempt: u32::try_from(row.attempt).unwrap_or(0),
        };
        let token = Token {
            place,
            purpose: For::External { lease: row.lease },
        };
        let message =
            "the lease of this work ended without a result, and it may be done at most once";
        let report = Report::failed(place, Failure::fatal("lost", message));
        let actor = Actor {
            name: "system".to_owned(),
            ..Actor::default()
        };
        store.deliver_report(&token, report, &actor).await?;
    }
    Ok(())
}
