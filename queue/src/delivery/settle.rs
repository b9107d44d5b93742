//! What an attempt came to. Only who holds the delivery's last lease may say so.

use std::time::Duration;

use rand::Rng as _;
use stepwell_workflow::Time;

use super::Claimed;
use super::again::next_attempt;
use crate::subscription;
use crate::text::clean;
use crate::{Actor, Error, Store, transaction};

/// Why a subscription is disabled that answers 410.
const GONE: &str = "the receiver answered 410 Gone";

/// What the receiver made of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has it: any 2xx.
    Delivered,
    /// It wants nothing any more: 410.
    Gone,
    /// It has it not: why, and how long it asks to be left alone.
    Failed { why: String, wait: Option<Duration> },
}

/// How long a delivery rests that could not be sent for want of a socket.
const PUT_OFF: Duration = Duration::from_secs(2);

impl Store {
    /// Puts off a delivery that its sender had no socket for: the attempt was not made and does not count.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then the delivery is due again when its lease is over.
    pub async fn put_off_delivery(&self, claimed: &Claimed) -> Result<(), Error> {
        sqlx::query!(
            "update stepwell.delivery
             set attempts = attempts - 1, next_at = clock_timestamp() + make_interval(secs => $3)
             where id = $1 and attempts = $2 and status = 'pending'",
            claimed.id,
            claimed.attempts,
            PUT_OFF.as_secs_f64(),
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Writes down what an attempt came to. A failed one is tried again by the schedule; a subscriber
    /// that is gone is disabled, and what waits for it with it. Returns when the next attempt is.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: then the delivery is due again when its lease is over.
    pub async fn settle_delivery(
        &self,
        claimed: &Claimed,
        verdict: &Verdict,
        status: Option<u16>,
        took: Duration,
    ) -> Result<Option<Time>, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let held = sqlx::query!(
            r#"select clock_timestamp() as "now!",
                      (select attempts from stepwell.delivery where id = $1) as attempts"#,
            claimed.id
        )
        .fetch_one(&mut *transaction)
        .await?;
        // Somebody may have asked for a fresh day of attempts meanwhile.
        let (now, attempts) = (held.now, held.attempts.unwrap_or(claimed.attempts) + 1);
        let (next_at, why) = match verdict {
            Verdict::Delivered => (None, None),
            Verdict::Gone => (None, Some(GONE)),
            Verdict::Failed { why, wait } => {
                let chance = rand::rng().random_range(0.0..=1.0);
                let next = next_attempt(attempts, now, claimed.expires_at, *wait, chance);
                (next, Some(why.as_str()))
            }
        };
        let word = match (verdict, next_at) {
            (Verdict::Delivered, _) => "delivered",
            (_, Some(_)) => "pending",
            (_, None) => "failed",
        };
        let settled = sqlx::query!(
            "update stepwell.delivery
             set status = $3, next_at = $4, finished_at = $5, response_status = $6, duration_ms = $7::bigint, error = $8,
                 attempts = $9, attempted_at = clock_timestamp() - make_interval(secs => $7::bigint / 1000.0)
             where id = $1 and lease = $2 and status = 'pending'",
            claimed.id,
            claimed.lease,
            word,
            next_at,
            (word != "pending").then_some(now),
            status.map(i32::from),
            i64::try_from(took.as_millis()).unwrap_or(i64::MAX),
            why.map(clean) as _,
            attempts,
        )
        .execute(&mut *transaction)
        .await?;
        if settled.rows_affected() == 1
            && *verdict == Verdict::Gone
            && let Some(id) = claimed.subscription_id
        {
            let actor = Actor {
                name: format!("delivery:{}", claimed.id),
                ..Actor::default()
            };
            if subscription::disable(&mut transaction, id, now, GONE, &actor).await? {
                tracing::warn!(subscription = %id, "a subscription is disabled: {GONE}");
            }
        }
        transaction.commit().await?;
        if word == "failed" {
            tracing::warn!(delivery = %claimed.id, event = %claimed.event.id, why, "a delivery failed for good");
        }
        Ok(next_at)
    }
}
