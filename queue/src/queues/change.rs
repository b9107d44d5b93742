//! What an operator decides about a queue. The first decision makes its row.

use sqlx::{PgConnection, Postgres, Transaction};
use stepwell_workflow::Time;
use uuid::Uuid;

use serde_json::{Value, json};

use super::ENTITY;
use crate::audit::{self, Entry};
use crate::listen::Hint;
use crate::text::clean;
use crate::{Actor, Error, Store, transaction};

/// Whether a decision changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    Done,
    /// It was so before.
    Already,
}

/// The row of a queue, held to the end of the transaction.
#[derive(Clone)]
struct Held {
    id: Uuid,
    paused_at: Option<Time>,
    paused_by: Option<String>,
    max_running: Option<i32>,
    revision: i64,
}

impl Held {
    fn shown(&self) -> Value {
        json!({ "paused": self.paused_at.is_some(), "max_running": self.max_running })
    }
}

impl Store {
    /// Pauses a queue: nothing is claimed from it until it is resumed. What is held goes on.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn pause_queue(&self, name: &str, actor: &Actor) -> Result<Turned, Error> {
        let name = &*clean(name);
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let old = hold(&mut transaction, name).await?;
        if old.paused_at.is_some() {
            return Ok(Turned::Already);
        }
        let new = Held {
            paused_at: Some(crate::clock::now()),
            paused_by: Some(clean(&actor.name).into_owned()),
            ..old.clone()
        };
        self.decide(transaction, name, "queue.paused", &old, &new, actor)
            .await
    }

    /// Resumes a queue that was paused.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn resume_queue(&self, name: &str, actor: &Actor) -> Result<Turned, Error> {
        let name = &*clean(name);
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let old = hold(&mut transaction, name).await?;
        if old.paused_at.is_none() {
            return Ok(Turned::Already);
        }
        let new = Held {
            paused_at: None,
            paused_by: None,
            ..old.clone()
        };
        self.decide(transaction, name, "queue.resumed", &old, &new, actor)
            .await
    }

    /// Sets how many runs of a queue may be leased at once, over all workers; `None`: no limit.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn limit_queue(
        &self,
        name: &str,
        max_running: Option<i32>,
        actor: &Actor,
    ) -> Result<Turned, Error> {
        let name = &*clean(name);
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let old = hold(&mut transaction, name).await?;
        if old.max_running == max_running {
            return Ok(Turned::Already);
        }
        let new = Held {
            max_running,
            ..old.clone()
        };
        self.decide(transaction, name, "queue.limited", &old, &new, actor)
            .await
    }

    async fn decide(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        name: &str,
        action: &str,
        old: &Held,
        new: &Held,
        actor: &Actor,
    ) -> Result<Turned, Error> {
        let revision = old.revision + 1;
        sqlx::query!(
            "update stepwell.queue
             set paused_at = $2, paused_by = $3, max_running = $4, revision = $5, updated_at = now()
             where name = $1",
            name,
            new.paused_at,
            new.paused_by,
            new.max_running,
            revision,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: old.id,
            sequence: revision,
            action,
            before: Some(named(name, old.shown())),
            after: Some(named(name, new.shown())),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.announce(Hint::Changed {
            entity: ENTITY.to_owned(),
            id: old.id,
        });
        Ok(Turned::Done)
    }
}

/// Takes the row of a queue, made if need be: a decision that turns out to change nothing is rolled
/// back with it.
async fn hold(connection: &mut PgConnection, name: &str) -> Result<Held, Error> {
    sqlx::query!(
        "insert into stepwell.queue (name, id, revision) values ($1, $2, 0) on conflict do nothing",
        name,
        crate::clock::id(),
    )
    .execute(&mut *connection)
    .await?;
    let held = sqlx::query_as!(
        Held,
        "select id, paused_at, paused_by, max_running, revision
         from stepwell.queue where name = $1 for update",
        name
    )
    .fetch_one(connection)
    .await?;
    Ok(held)
}

/// The id of a queue says nothing to people: its records carry the name.
fn named(name: &str, mut shown: Value) -> Value {
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("name".to_owned(), name.into());
    }
    shown
}
