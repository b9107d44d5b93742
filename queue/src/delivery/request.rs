//! A delivery because somebody asks: a test event, or an event once more.

use serde_json::json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::TRIED_FOR;
use super::read::{self, Listed};
use crate::subscription::{self, Subscription};
use crate::{Actor, Error, Store, transaction};

/// The type of a test event.
const TEST: &str = "stepwell.subscription.test";

/// What came of asking.
#[derive(Debug)]
pub enum Asked {
    /// It is on its way.
    Accepted(Box<Listed>),
    NotFound,
    /// The subscription is disabled.
    Disabled,
}

impl Store {
    /// Sends a test event to a subscriber, whatever it hears of.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn test_subscription(
        &self,
        id: Uuid,
        now: Time,
        actor: &Actor,
    ) -> Result<Asked, Error> {
        match self.subscription(id).await? {
            None => return Ok(Asked::NotFound),
            Some(found) if found.status != "active" => return Ok(Asked::Disabled),
            Some(_) => {}
        }
        let (event_id, delivery_id) = (crate::clock::id(), crate::clock::id());
        let mut transaction = transaction::begin_in(&self.pool).await?;
        sqlx::query!(
            "insert into stepwell.event (id, type, source, subject, at, data)
             values ($1, $2, $3, $4, $5, $6)",
            event_id,
            TEST,
            source(id),
            id.to_string(),
            now,
            json!({"subscription_id": id, "actor": actor.name}),
        )
        .execute(&mut *transaction)
        .await?;
        sqlx::query!(
            "insert into stepwell.delivery (id, subscription_id, event_id, lane, expires_at, next_at)
             select $1, id, $2, id, now() + $4, now() from stepwell.subscription where id = $3",
            delivery_id,
            event_id,
            id,
            interval(),
        )
        .execute(&mut *transaction)
        .await?;
        let what = json!({"delivery_id": delivery_id, "event_id": event_id});
        if !subscription::note(&mut transaction, id, "subscription.tested", what, actor).await? {
            return Ok(Asked::NotFound);
        }
        let asked = read::one(&mut transaction, id, delivery_id).await?;
        transaction.commit().await?;
        self.announce_deliveries(delivery_id);
        Ok(asked.map_or(Asked::NotFound, |listed| Asked::Accepted(Box::new(listed))))
    }

    /// Sends an event once more, under the same id, with a day of attempts before it; one that is
    /// under way is sent at once.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn redeliver(
        &self,
        subscription_id: Uuid,
        delivery_id: Uuid,
        actor: &Actor,
    ) -> Result<Asked, Error> {
        match self.subscription(subscription_id).await? {
            None => return Ok(Asked::NotFound),
            Some(found) if found.status != "active" => return Ok(Asked::Disabled),
            Some(Subscription { .. }) => {}
        }
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let again = sqlx::query!(
            "update stepwell.delivery
             set status = 'pending', next_at = now(), finished_at = null, expires_at = now() + $3,
                 attempts = 0, attempted_at = null, response_status = null, duration_ms = null, error = null
             where id = $1 and subscription_id = $2",
            delivery_id,
            subscription_id,
            interval(),
        )
        .execute(&mut *transaction)
        .await?;
        if again.rows_affected() == 0 {
            return Ok(Asked::NotFound);
        }
        let what = json!({"delivery_id": delivery_id});
        let noted = subscription::note(
            &mut transaction,
            subscription_id,
            "subscription.redelivered",
            what,
            actor,
        );
        if !noted.await? {
            return Ok(Asked::NotFound);
        }
        let asked = read::one(&mut transaction, subscription_id, delivery_id).await?;
        transaction.commit().await?;
        self.announce_deliveries(delivery_id);
        Ok(asked.map_or(Asked::NotFound, |listed| Asked::Accepted(Box::new(listed))))
    }
}

fn source(id: Uuid) -> String {
    format!("/api/v1/subscriptions/{id}")
}

/// [`TRIED_FOR`] as Postgres takes it.
pub(crate) fn interval() -> sqlx::postgres::types::PgInterval {
    sqlx::postgres::types::PgInterval {
        months: 0,
        days: 0,
        microseconds: TRIED_FOR.num_microseconds().unwrap_or(i64::MAX),
    }
}
