//! Clients make, change and delete subscriptions, and give them other secrets. Each change writes its
//! audit record in its transaction; secrets are never in it.

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use stepwell_workflow::Time;
use uuid::Uuid;

use super::{Changed, ENTITY, NewSecret, NewSubscription, SUBSCRIPTIONS_MAX, Subscription, read};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::new_run::Idempotency;
use crate::{Actor, Error, Revision, Store, transaction};

/// How long the secret before signs beside a new one: receivers change theirs meanwhile.
const OLD_SECRET_KEPT: TimeDelta = TimeDelta::hours(24);

impl Store {
    /// Makes a subscription. The caller chooses id and time, because the idempotency key keeps the
    /// answer that tells of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the subscription exists; the same key tells.
    pub async fn create_subscription(
        &self,
        id: Uuid,
        at: Time,
        new: &NewSubscription,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
    ) -> Result<Changed, Error> {
        let NewSecret::Set(secret) = &new.secret else {
            return Err(Error::Corrupt(format!("subscription {id} has no secret")));
        };
        let Some(sealed) = self.seal_secret(id, secret)? else {
            return Ok(Changed::NoMasterKey);
        };
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Changed::Replayed(answer)),
                Remembered::Reused => return Ok(Changed::KeyReused),
            }
        }
        let subscription = Subscription::fresh(id, at, new);
        let inserted = sqlx::query!(
            "insert into stepwell.subscription
                 (id, name, url, event_types, workflow, secret, status, created_at, updated_at)
             select $1, $2, $3, $4, $5, $6, $7, $8, $8
             where (select count(*) from stepwell.subscription) < $9",
            id,
            new.name,
            new.url,
            &new.event_types,
            new.workflow,
            sealed,
            subscription.status,
            at,
            SUBSCRIPTIONS_MAX,
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Changed::TooMany);
        }
        self.finish_subscription(
            transaction,
            "subscription.created",
            None,
            subscription,
            actor,
        )
        .await
    }

    /// Replaces what clients decide about a subscription. Nothing is written when nothing changes.
    /// After another secret, the one before goes on signing for a day. `expected`: the revisions
    /// that the change may be based on; `None` is any.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn replace_subscription(
        &self,
        id: Uuid,
        now: Time,
        new: &NewSubscription,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let sealed = match &new.secret {
            NewSecret::Keep => None,
            NewSecret::Set(secret) => match self.seal_secret(id, secret)? {
                None => return Ok(Changed::NoMasterKey),
                sealed => sealed,
            },
        };
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, id, expected).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        let mut after = Subscription {
            old_secret_until: before.old_secret_until,
            created_at: before.created_at,
            ..Subscription::fresh(id, now, new)
        };
        if !new.active {
            after.disabled_reason.clone_from(&before.disabled_reason);
        }
        if sealed.is_none() && shown(&before) == shown(&after) {
            return Ok(Changed::Done(Box::new(before)));
        }
        after.revision = before.revision + 1;
        after.sequence = before.sequence + 1;
        if sealed.is_some() {
            after.old_secret_until = Some(now + OLD_SECRET_KEPT);
        }
        sqlx::query!(
            "update stepwell.subscription
             set name = $2, url = $3, event_types = $4, workflow = $5, status = $6, disabled_reason = $7,
                 old_secret = case when $8::bytea is null then old_secret else secret end,
                 old_secret_until = $9, secret = coalesce($8, secret),
                 revision = $10, sequence = $11, updated_at = $12
             where id = $1",
            id,
            after.name,
            after.url,
            &after.event_types,
            after.workflow,
            after.status,
            after.disabled_reason,
            sealed,
            after.old_secret_until,
            after.revision,
            after.sequence,
            now,
        )
        .execute(&mut *transaction)
        .await?;
        self.finish_subscription(
            transaction,
            "subscription.updated",
            Some(&before),
            after,
            actor,
        )
        .await
    }

    /// Gives a subscription another secret; the one before goes on signing for a day.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn rotate_secret(
        &self,
        id: Uuid,
        now: Time,
        secret: &SecretString,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        loop {
            let Some(before) = self.subscription(id).await? else {
                return Ok(Changed::NotFound);
            };
            let new = NewSubscription {
                name: before.name,
                url: before.url,
                event_types: before.event_types,
                workflow: before.workflow,
                secret: NewSecret::Set(secret.clone()),
                active: before.status == "active",
            };
            let expected = [Revision {
                of: id,
                number: before.revision,
            }];
            let changed = self.replace_subscription(id, now, &new, Some(&expected), actor);
            match changed.await? {
                // Changed in between: again, with what it is now.
                Changed::Stale { .. } => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Deletes a subscription, with its deliveries.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_subscription(
        &self,
        id: Uuid,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, id, expected).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        sqlx::query!("delete from stepwell.subscription where id = $1", id)
            .execute(&mut *transaction)
            .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: id,
            sequence: before.sequence + 1,
            action: "subscription.deleted",
            before: Some(shown(&before)),
            after: None,
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.announce_changed(ENTITY, id);
        Ok(Changed::Done(Box::new(before)))
    }

    /// Audits, commits, and only then tells everybody.
    async fn finish_subscription(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        action: &str,
        before: Option<&Subscription>,
        after: Subscription,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: after.id,
            sequence: after.sequence,
            action,
            before: before.map(shown),
            after: Some(shown(&after)),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.announce_changed(ENTITY, after.id);
        Ok(Changed::Done(Box::new(after)))
    }

    fn seal_secret(&self, id: Uuid, secret: &SecretString) -> Result<Option<Vec<u8>>, Error> {
        let cipher = self.cipher()?;
        cipher
            .map(|cipher| cipher.seal(id, secret.expose_secret().as_bytes()))
            .transpose()
    }
}

/// Takes the subscription's row for the length of the transaction. The inner `Err` is the answer of
/// a change that cannot be made.
async fn lock(
    connection: &mut PgConnection,
    id: Uuid,
    expected: Option<&[Revision]>,
) -> Result<Result<Subscription, Changed>, Error> {
    let Some(subscription) = read::locked(connection, id).await? else {
        return Ok(Err(Changed::NotFound));
    };
    let revision = Revision {
        of: subscription.id,
        number: subscription.revision,
    };
    if expected.is_some_and(|revisions| !revisions.contains(&revision)) {
        return Ok(Err(Changed::Stale { revision }));
    }
    Ok(Ok(subscription))
}

/// The subscription as the audit log shows it: everything but its secret.
pub(super) fn shown(subscription: &Subscription) -> Value {
    json!({
        "name": subscription.name, "url": subscription.url, "event_types": subscription.event_types,
        "workflow": subscription.workflow, "status": subscription.status,
        "disabled_reason": subscription.disabled_reason,
        "old_secret_until": subscription.old_secret_until,
    })
}
