//! Keys are made and revoked, each with its audit record in its transaction. A key does not change
//! otherwise: whoever needs another role or another end makes another key.

use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use stepwell_workflow::Time;
use uuid::Uuid;

use super::{Changed, ENTITY, Key, Role, SHOWN_CHARS, hash, read};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::listen::{CHANNEL, Hint};
use crate::new_run::Idempotency;
use crate::{Actor, Error, Store, transaction};

/// What is decided about a key when it is made; checked by the caller.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// UUIDv7, made at `created_at`.
    pub id: Uuid,
    pub name: String,
    pub role: Role,
    /// The key itself, of [`super::fresh`].
    pub text: SecretString,
    pub created_at: Time,
    pub expires_at: Option<Time>,
}

impl NewKey {
    /// Returns the key as it will be kept.
    #[must_use]
    pub fn key(&self, actor: &Actor) -> Key {
        Key {
            id: self.id,
            name: self.name.clone(),
            role: self.role,
            prefix: self
                .text
                .expose_secret()
                .chars()
                .take(SHOWN_CHARS)
                .collect(),
            revision: 1,
            created_by: actor.name.clone(),
            created_at: self.created_at,
            expires_at: self.expires_at,
            revoked_at: None,
            last_used_at: None,
        }
    }
}

impl Store {
    /// Makes a key. The idempotency key keeps the answer without the key itself.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the key exists.
    pub async fn create_key(
        &self,
        new: &NewKey,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Changed::Replayed(answer)),
                Remembered::Reused => return Ok(Changed::KeyReused),
            }
        }
        let key = new.key(actor);
        let inserted = sqlx::query!(
            "insert into stepwell.api_key
                 (id, name, role, prefix, hash, created_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (name) where revoked_at is null do nothing",
            key.id,
            key.name,
            key.role.as_str(),
            key.prefix,
            &hash(new.text.expose_secret())[..],
            key.created_by,
            key.created_at,
            key.expires_at,
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Changed::NameTaken);
        }
        self.finish_key(transaction, key, "key.created", None, actor)
            .await
    }

    /// Revokes a key: from now on it opens nothing. One that is revoked already stays as it is.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn revoke_key(&self, name_or_id: &str, actor: &Actor) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let Some(before) = read::locked(&mut transaction, name_or_id).await? else {
            return Ok(Changed::NotFound);
        };
        if before.revoked_at.is_some() {
            return Ok(Changed::Done(Box::new(before)));
        }
        let after = revoke(&mut transaction, before.id).await?;
        self.finish_key(transaction, after, "key.revoked", Some(&before), actor)
            .await
    }

    /// Audits, commits, and tells everybody.
    async fn finish_key(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        after: Key,
        action: &str,
        before: Option<&Key>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: after.id,
            sequence: after.revision,
            action,
            before: before.map(shown),
            after: Some(shown(&after)),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        tell(&mut transaction, after.id).await?;
        transaction.commit().await?;
        self.keys.forget();
        Ok(Changed::Done(Box::new(after)))
    }
}

async fn revoke(connection: &mut PgConnection, id: Uuid) -> Result<Key, Error> {
    sqlx::query!(
        "update stepwell.api_key set revoked_at = now(), revision = revision + 1 where id = $1",
        id
    )
    .execute(&mut *connection)
    .await?;
    read::by_id(connection, id)
        .await?
        .ok_or_else(|| Error::Corrupt(format!("key {id} is gone in its own transaction")))
}

/// Tells every process, with the commit. Other hints go after it on a connection of their own; keys
/// change seldom, and a command that revokes one may end the moment after.
async fn tell(connection: &mut PgConnection, id: Uuid) -> Result<(), Error> {
    let hint = Hint::Changed {
        entity: ENTITY.to_owned(),
        id,
    };
    sqlx::query!(
        "select pg_notify($1, $2) as sent",
        CHANNEL,
        hint.to_payload().unwrap_or_default()
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// The key as the audit log shows it.
fn shown(key: &Key) -> Value {
    json!({
        "name": key.name, "role": key.role.as_str(), "prefix": key.prefix,
        "expires_at": key.expires_at, "revoked_at": key.revoked_at,
    })
}
