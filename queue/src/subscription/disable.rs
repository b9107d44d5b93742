//! What befalls a subscription as its deliveries go, in the transactions of these.

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::change::shown;
use super::{ENTITY, Subscription, read};
use crate::audit::{self, Entry};
use crate::{Actor, Error};

/// Disables a subscription in the transaction of what gave the reason; does nothing to one that is
/// not active.
pub(crate) async fn disable(
    connection: &mut PgConnection,
    id: Uuid,
    now: Time,
    reason: &str,
    actor: &Actor,
) -> Result<bool, Error> {
    let Some(before) = read::locked(connection, id).await? else {
        return Ok(false);
    };
    if before.status != "active" {
        return Ok(false);
    }
    let after = Subscription {
        status: "disabled".to_owned(),
        disabled_reason: Some(reason.to_owned()),
        revision: before.revision + 1,
        sequence: before.sequence + 1,
        ..before.clone()
    };
    sqlx::query!(
        "update stepwell.subscription
         set status = 'disabled', disabled_reason = $2, revision = $3, sequence = $4, updated_at = $5
         where id = $1",
        id,
        reason,
        after.revision,
        after.sequence,
        now,
    )
    .execute(&mut *connection)
    .await?;
    let entry = Entry {
        entity_type: ENTITY,
        entity_id: id,
        sequence: after.sequence,
        action: "subscription.disabled",
        before: Some(shown(&before)),
        after: Some(shown(&after)),
        actor,
    };
    audit::write(connection, entry).await?;
    Ok(true)
}

/// Writes down that something was asked of a subscription, in the transaction of that; `false` when
/// it is gone.
pub(crate) async fn note(
    connection: &mut PgConnection,
    id: Uuid,
    action: &str,
    what: Value,
    actor: &Actor,
) -> Result<bool, Error> {
    let sequence = sqlx::query_scalar!(
        "update stepwell.subscription set sequence = sequence + 1 where id = $1 returning sequence",
        id
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(sequence) = sequence else {
        return Ok(false);
    };
    let entry = Entry {
        entity_type: ENTITY,
        entity_id: id,
        sequence,
        action,
        before: None,
        after: Some(what),
        actor,
    };
    audit::write(connection, entry).await?;
    Ok(true)
}
