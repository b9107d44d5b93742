//! Subscriptions are read, one or a page of them.

use sqlx::PgConnection;
use uuid::Uuid;

use super::Subscription;
use crate::{Error, Store};

/// Which subscriptions, in which order, and from where.
#[derive(Clone, Debug)]
pub struct SubscriptionFilter<'a> {
    pub status: Option<&'a str>,
    pub workflow: Option<&'a str>,
    pub descending: bool,
    /// The last subscription of the page before.
    pub after: Option<Uuid>,
    pub offset: i64,
    pub limit: i64,
}

impl Store {
    /// Finds a subscription.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn subscription(&self, id: Uuid) -> Result<Option<Subscription>, Error> {
        Ok(sqlx::query_as!(
            Subscription,
            "select id, name, url, event_types, workflow, status, disabled_reason, old_secret_until,
                    revision, sequence, created_at, updated_at
             from stepwell.subscription where id = $1",
            id
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Lists subscriptions.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn subscriptions(
        &self,
        filter: &SubscriptionFilter<'_>,
    ) -> Result<Vec<Subscription>, Error> {
        Ok(sqlx::query_file_as!(
            Subscription,
            "queries/subscription/list.sql",
            filter.status,
            filter.workflow,
            filter.descending,
            filter.after,
            filter.limit,
            filter.offset,
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Counts subscriptions. There are [`super::SUBSCRIPTIONS_MAX`] at most.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn count_subscriptions(&self, filter: &SubscriptionFilter<'_>) -> Result<i64, Error> {
        Ok(sqlx::query_scalar!(
            r#"select count(*) as "count!" from stepwell.subscription
               where ($1::text is null or status = $1) and ($2::text is null or workflow = $2)"#,
            filter.status,
            filter.workflow,
        )
        .fetch_one(&self.pool)
        .await?)
    }
}

/// Takes a subscription's row for the length of the transaction.
pub(super) async fn locked(
    connection: &mut PgConnection,
    id: Uuid,
) -> Result<Option<Subscription>, Error> {
    Ok(sqlx::query_as!(
        Subscription,
        "select id, name, url, event_types, workflow, status, disabled_reason, old_secret_until,
                revision, sequence, created_at, updated_at
         from stepwell.subscription where id = $1 for update",
        id
    )
    .fetch_optional(connection)
    .await?)
}
