//! Due deliveries are taken, a few of each lane.

use serde_json::value::RawValue;
use sqlx::types::Json;
use uuid::Uuid;

use super::{Claimed, Event, LEASE};
use crate::subscription;
use crate::{Error, Store};

/// How many deliveries a sender takes.
#[derive(Clone, Debug)]
pub struct Room {
    /// In all.
    pub total: usize,
    /// Of a lane that is not named below.
    pub lane: usize,
    /// Of lanes with deliveries in flight, or that failed lately.
    pub lanes: Vec<(Uuid, usize)>,
}

impl Store {
    /// Takes due deliveries; each is the caller's for [`LEASE`]. One whose secret cannot be read is
    /// logged and left to its lease.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn claim_deliveries(&self, room: &Room) -> Result<Vec<Claimed>, Error> {
        let number = |n: usize| i32::try_from(n).unwrap_or(i32::MAX);
        let lanes: Vec<_> = room.lanes.iter().map(|(lane, _)| *lane).collect();
        let rooms: Vec<_> = room.lanes.iter().map(|(_, room)| number(*room)).collect();
        let rows = sqlx::query_file!(
            "queries/delivery/claim.sql",
            &lanes,
            &rooms,
            number(room.lane),
            i64::from(number(room.total)),
            LEASE.as_secs_f64(),
        )
        .fetch_all(&self.pool)
        .await?;
        let cipher = self.cipher()?;
        let mut claimed = Vec::with_capacity(rows.len());
        for row in rows {
            let secrets: Result<Vec<_>, Error> = match row.subscription_id {
                None => Ok(self.callback_secret().into_iter().collect()),
                Some(id) => [row.secret, row.old_secret]
                    .into_iter()
                    .flatten()
                    .map(|stored| subscription::open(cipher.as_ref(), id, &stored))
                    .collect(),
            };
            match secrets {
                Ok(secrets) if !secrets.is_empty() => claimed.push(Claimed {
                    id: row.id,
                    lane: row.lane,
                    subscription_id: row.subscription_id,
                    url: row.url,
                    attempts: row.attempts,
                    lease: row.lease,
                    expires_at: row.expires_at,
                    event: Event {
                        id: row.event_id,
                        kind: row.kind,
                        source: row.source,
                        subject: row.subject,
                        at: row.at,
                        data: row.data.0,
                        traceparent: row.traceparent,
                    },
                    secrets,
                }),
                Ok(_) => {
                    tracing::error!(delivery = %row.id, "a callback cannot be signed: no master key is set");
                }
                Err(error) => {
                    tracing::error!(delivery = %row.id, %error, "a delivery cannot be signed");
                }
            }
        }
        Ok(claimed)
    }
}
