//! One claim as it was asked for: within the queue's limit, and within a time.

use std::time::Duration;

use sqlx::PgConnection;

use super::limit::take_within;
use super::take::{Ask, Taken, take};
use crate::error::sql_state;
use crate::{Error, transaction};

/// Of a statement that was stopped because it took too long: `query_canceled`.
const STOPPED: &str = "57014";

/// Takes up to `wanted` due jobs. The second value: the queue's limit allows less. `None`: it took
/// longer than `at_most`, was broken off and took nothing.
pub(super) async fn claim(
    connection: &mut PgConnection,
    ask: Ask<'_>,
    limited: bool,
    at_most: Option<Duration>,
) -> Result<Option<(Taken, bool)>, Error> {
    let Some(at_most) = at_most else {
        return once(connection, ask, limited).await.map(Some);
    };
    let mut transaction = transaction::begin(connection).await?;
    let millis = at_most.as_millis().to_string();
    sqlx::query!("select set_config('statement_timeout', $1, true)", millis)
        .fetch_one(&mut *transaction)
        .await?;
    match once(&mut transaction, ask, limited).await {
        Ok(taken) => {
            transaction.commit().await?;
            Ok(Some(taken))
        }
        Err(Error::Unavailable(error) | Error::Refused(error)) if was_stopped(&error) => {
            transaction.rollback().await?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

async fn once(
    connection: &mut PgConnection,
    ask: Ask<'_>,
    limited: bool,
) -> Result<(Taken, bool), Error> {
    if limited {
        take_within(connection, ask).await
    } else {
        take(connection, ask).await.map(|taken| (taken, false))
    }
}

fn was_stopped(error: &sqlx::Error) -> bool {
    sql_state(error).as_deref() == Some(STOPPED)
}
