//! Agents are made, changed and deleted. Each change writes its audit record in its transaction;
//! the agent's revision numbers both.

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use stepwell_workflow::Time;
use stepwell_workflow::retry::RetryPolicy;
use uuid::Uuid;

use super::credentials::{self, Sealed};
use super::{Agent, Auth, Changed, Credentials, ENTITY, read, usage};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::new_run::Idempotency;
use crate::{Actor, Error, Revision, Store, transaction};

/// What clients decide about an agent; checked by the caller.
#[derive(Clone, Debug)]
pub struct NewAgent {
    pub name: String,
    pub url: String,
    pub health_path: Option<String>,
    pub description: Option<String>,
    pub credentials: Credentials,
    pub timeout_ms: i64,
    pub retry_config: RetryPolicy,
    pub max_concurrency: Option<i32>,
    pub cancel: bool,
    /// `active` or `inactive`.
    pub status: &'static str,
}

impl Store {
    /// Makes an agent. The caller chooses id and time, because the idempotency key keeps the answer
    /// that tells of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the agent exists; the same key tells.
    pub async fn create_agent(
        &self,
        id: Uuid,
        at: Time,
        agent: &NewAgent,
        actor: &Actor,
        idempotency: Option<&Idempotency>,
    ) -> Result<Changed, Error> {
        let auth = match &agent.credentials {
            Credentials::Set(auth) => auth,
            Credentials::Keep("none") => &Auth::None,
            Credentials::Keep(_) => return Ok(Changed::CredentialsNeeded),
        };
        let secret = match credentials::seal(self.cipher()?.as_ref(), id, auth)? {
            Sealed::NoMasterKey => return Ok(Changed::NoMasterKey),
            Sealed::Nothing => None,
            Sealed::Secret(secret) => Some(secret),
        };
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Changed::Replayed(answer)),
                Remembered::Reused => return Ok(Changed::KeyReused),
            }
        }
        let inserted = sqlx::query!(
            "insert into stepwell.agent
                 (id, name, url, health_path, description, auth_type, auth_secret, timeout_ms,
                  retry_config, max_concurrency, cancel, status, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
             on conflict (name) where deleted_at is null do nothing",
            id,
            agent.name,
            agent.url,
            agent.health_path,
            agent.description,
            auth.kind(),
            secret,
            agent.timeout_ms,
            json!(agent.retry_config),
            agent.max_concurrency,
            agent.cancel,
            agent.status,
            at,
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Changed::NameTaken);
        }
        self.finish(transaction, id, "agent.created", None, actor)
            .await
    }

    /// Replaces what clients decide about an agent. Nothing is written when nothing changes.
    /// `expected`: the revisions that the change may be based on; `None` is any.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn replace_agent(
        &self,
        name_or_id: &str,
        agent: &NewAgent,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, name_or_id, expected).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        let (kind, secret) = match &agent.credentials {
            Credentials::Keep(kind)
                if *kind != "none"
                    && *kind == before.auth_type
                    && !is_same_origin(&before.url, &agent.url) =>
            {
                return Ok(Changed::CredentialsNeededThere);
            }
            Credentials::Keep(kind) if *kind == before.auth_type => (*kind, None),
            Credentials::Keep("none") => ("none", Some(None)),
            Credentials::Keep(_) => return Ok(Changed::CredentialsNeeded),
            Credentials::Set(auth) => {
                match credentials::seal(self.cipher()?.as_ref(), before.id, auth)? {
                    Sealed::NoMasterKey => return Ok(Changed::NoMasterKey),
                    Sealed::Nothing if before.auth_type == "none" => ("none", None),
                    Sealed::Nothing => ("none", Some(None)),
                    Sealed::Secret(secret) => (auth.kind(), Some(Some(secret))),
                }
            }
        };
        if secret.is_none() && same(&before, agent) {
            return Ok(Changed::Done(Box::new(before)));
        }
        if agent.name != before.name {
            // Definitions may name it by its name.
            let users = usage::by_name(&mut transaction, &before.name).await?;
            if !users.is_empty() {
                return Ok(Changed::InUse(users));
            }
        }
        let updated = sqlx::query!(
            "update stepwell.agent
             set name = $2, url = $3, health_path = $4, description = $5, auth_type = $6,
                 auth_secret = case when $7 then $8 else auth_secret end,
                 timeout_ms = $9, retry_config = $10, max_concurrency = $11, cancel = $12,
                 status = $13, revision = revision + 1, updated_at = now()
             where id = $1
               and not exists (select from stepwell.agent other
                               where other.name = $2 and other.id <> $1 and other.deleted_at is null)",
            before.id,
            agent.name,
            agent.url,
            agent.health_path,
            agent.description,
            kind,
            secret.is_some(),
            secret.flatten(),
            agent.timeout_ms,
            json!(agent.retry_config),
            agent.max_concurrency,
            agent.cancel,
            agent.status,
        )
        .execute(&mut *transaction)
        .await;
        match updated {
            Ok(done) if done.rows_affected() == 0 => return Ok(Changed::NameTaken),
            // Somebody took the name between our look and our write.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Changed::NameTaken);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        let id = before.id;
        self.finish(transaction, id, "agent.updated", Some(&before), actor)
            .await
    }

    /// Deletes an agent: it is kept for the record, and its name is free again. Refused while the
    /// latest version of an active workflow uses it.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_agent(
        &self,
        name_or_id: &str,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, name_or_id, expected).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        let users = usage::of(&mut transaction, before.id, &before.name).await?;
        if !users.is_empty() {
            return Ok(Changed::InUse(users));
        }
        sqlx::query!(
            "update stepwell.agent
             set status = 'inactive', revision = revision + 1, updated_at = now(), deleted_at = now()
             where id = $1",
            before.id,
        )
        .execute(&mut *transaction)
        .await?;
        let id = before.id;
        self.finish(transaction, id, "agent.deleted", Some(&before), actor)
            .await
    }

    /// Audits, commits, and only then tells everybody.
    async fn finish(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        id: Uuid,
        action: &str,
        before: Option<&Agent>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let after = read::by_id(&mut transaction, id)
            .await?
            .ok_or_else(|| Error::Corrupt(format!("agent {id} is gone in its own transaction")))?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: id,
            sequence: after.revision,
            action,
            before: before.map(shown),
            after: Some(shown(&after)),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.agents.forget();
        self.announce_changed(ENTITY, id);
        Ok(Changed::Done(Box::new(after)))
    }
}

/// Takes the agent's row for the length of the transaction. The inner `Err` is the answer of a
/// change that cannot be made.
async fn lock(
    connection: &mut PgConnection,
    name_or_id: &str,
    expected: Option<&[Revision]>,
) -> Result<Result<Agent, Changed>, Error> {
    let Some(agent) = read::locked(connection, name_or_id).await? else {
        return Ok(Err(Changed::NotFound));
    };
    let revision = Revision {
        of: agent.id,
        number: agent.revision,
    };
    if expected.is_some_and(|revisions| !revisions.contains(&revision)) {
        return Ok(Err(Changed::Stale { revision }));
    }
    Ok(Ok(agent))
}

fn same(before: &Agent, agent: &NewAgent) -> bool {
    before.name == agent.name
        && before.url == agent.url
        && before.health_path == agent.health_path
        && before.description == agent.description
        && before.timeout_ms == agent.timeout_ms
        && before.retry_config == agent.retry_config
        && before.max_concurrency == agent.max_concurrency
        && before.cancel == agent.cancel
        && before.status == agent.status
}

/// The agent as the audit log shows it: everything but its credentials.
fn shown(agent: &Agent) -> Value {
    json!({
        "name": agent.name, "url": agent.url, "health_path": agent.health_path,
        "description": agent.description, "auth_type": agent.auth_type,
        "timeout_ms": agent.timeout_ms, "retry_config": agent.retry_config,
        "max_concurrency": agent.max_concurrency, "cancel": agent.cancel,
        "status": agent.status, "revision": agent.revision, "deleted_at": agent.deleted_at,
    })
}

/// Says whether two URLs lead to the same scheme, host and port.
fn is_same_origin(one: &str, other: &str) -> bool {
    let origin = |text: &str| url::Url::parse(text).map(|url| url.origin());
    match (origin(one), origin(other)) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}
