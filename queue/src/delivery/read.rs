//! A subscription's deliveries are read.

use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use crate::{Error, Store};

/// A delivery as operators see it.
#[derive(Clone, Debug)]
pub struct Listed {
    pub id: Uuid,
    pub event_id: Uuid,
    pub event_type: String,
    pub subject: Option<String>,
    pub event_at: Time,
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    pub attempts: i32,
    pub next_at: Option<Time>,
    pub attempted_at: Option<Time>,
    pub finished_at: Option<Time>,
    pub expires_at: Time,
    pub response_status: Option<i32>,
    pub duration_ms: Option<i64>,
    pub error: Option<String>,
    pub created_at: Time,
}

/// Which deliveries, in which order, and from where.
#[derive(Clone, Debug)]
pub struct DeliveryFilter<'a> {
    pub subscription_id: Uuid,
    pub status: Option<&'a str>,
    pub descending: bool,
    /// The last delivery of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

impl Store {
    /// Lists the deliveries of a subscription.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn deliveries(&self, filter: &DeliveryFilter<'_>) -> Result<Vec<Listed>, Error> {
        Ok(sqlx::query_file_as!(
            Listed,
            "queries/delivery/list.sql",
            filter.subscription_id,
            filter.status,
            filter.descending,
            filter.after,
            filter.limit,
            filter.offset,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Counts the deliveries of a subscription, up to `at_most`.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_deliveries(
        &self,
        filter: &DeliveryFilter<'_>,
        at_most: i64,
    ) -> Result<i64, Error> {
        Ok(sqlx::query_scalar!(
            r#"select count(*) as "count!" from (
                   select from stepwell.delivery
                   where subscription_id = $1 and ($2::text is null or status = $2) limit $3
               ) counted"#,
            filter.subscription_id,
            filter.status,
            at_most,
        )
        .fetch_one(&self.pool)
        .await?)
    }
}

/// Reads one delivery inside a transaction.
pub(super) async fn one(
    connection: &mut PgConnection,
    subscription_id: Uuid,
    id: Uuid,
) -> Result<Option<Listed>, Error> {
    Ok(sqlx::query_as!(
        Listed,
        "select d.id, d.event_id, e.type as event_type, e.subject, e.at as event_at, d.status, d.attempts,
                d.next_at, d.attempted_at, d.finished_at, d.expires_at, d.response_status, d.duration_ms,
                d.error, d.created_at
         from stepwell.delivery d
         join stepwell.event e on e.id = d.event_id
         where d.subscription_id = $1 and d.id = $2",
        subscription_id,
        id
    )
    .fetch_optional(connection)
    .await?)
}
