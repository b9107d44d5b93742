//! A workflow changes: another version when its content is another.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use sqlx::types::Json;
use stepwell_workflow::Time;
use uuid::Uuid;

use super::secrets::{Sealed, Secrets};
use super::{Workflow, WorkflowText, agents, record, status_word};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::new_run::{Answer, Idempotency};
use crate::{Actor, Error, Revision, Store, transaction};

/// What came of a change.
#[derive(Clone, Debug)]
pub enum Replaced {
    /// As it is now. Nothing was written if nothing differs.
    Done(Box<Workflow>),
    NotFound,
    /// These agents were deleted or renamed since the definition was checked.
    AgentsGone(Vec<String>),
    /// The mask stands at these places, and no secret is kept there.
    SecretsNeeded(Vec<String>),
    /// There is no master key to encrypt its secrets with.
    NoMasterKey,
    /// It is not at one of the expected revisions.
    Stale {
        revision: Revision,
    },
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
}

impl Store {
    /// Makes the workflow what `text` says, at `now`; with `expected`, only if it is at one of
    /// these revisions. The same content keeps its version. The key, if any, is kept with the change.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn replace_workflow(
        &self,
        id: Uuid,
        text: WorkflowText,
        expected: Option<&[Revision]>,
        actor: &Actor,
        now: Time,
        idempotency: Option<&Idempotency>,
    ) -> Result<Replaced, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Replaced::Replayed(answer)),
                Remembered::Reused => return Ok(Replaced::KeyReused),
            }
        }
        super::lock::lock(&mut transaction, id).await?;
        let Some(old) = sqlx::query!(
            r#"select w.slug, w.name, w.description, w.status = 'active' as "active!",
                      w.labels as "labels: Json<BTreeMap<String, String>>",
                      v.version, v.definition as "definition: Json<Box<RawValue>>", v.content_hash, v.secrets,
                      w.revision, w.created_at, w.updated_at
               from stepwell.workflow w
               join stepwell.workflow_version v
                 on v.workflow_id = w.id and v.version = w.latest_version
               where w.id = $1 and w.deleted_at is null"#,
            id
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(Replaced::NotFound);
        };
        let revision = Revision {
            of: id,
            number: old.revision,
        };
        if expected.is_some_and(|revisions| !revisions.contains(&revision)) {
            return Ok(Replaced::Stale { revision });
        }
        let gone = agents::hold(&mut transaction, &text.agents).await?;
        if !gone.is_empty() {
            return Ok(Replaced::AgentsGone(gone));
        }
        let active = text.active.unwrap_or(old.active);
        let cipher = self.cipher()?;
        let known = if text.secrets.is_empty() {
            Secrets::default()
        } else {
            let opened = Secrets::open(cipher.as_ref(), id, old.version, old.secrets.as_deref());
            match opened {
                Ok(known) => known,
                // Whoever sends all of them anew needs no key that was lost.
                Err(_) if text.secrets.masked().is_empty() => Secrets::default(),
                Err(error) => return Err(error),
            }
        };
        let secrets = match text.secrets.over(&known) {
            Ok(secrets) => secrets,
            Err(places) => return Ok(Replaced::SecretsNeeded(places)),
        };
        let content_hash = secrets.hash(&text.content_hash);
        let new_content = content_hash != old.content_hash;
        let same_words = text.name == old.name
            && text.description == old.description
            && text.labels == old.labels.0
            && active == old.active;
        let mut workflow = Workflow {
            id,
            slug: old.slug,
            name: text.name,
            description: text.description,
            active,
            labels: text.labels,
            version: old.version,
            definition: old.definition.0,
            content_hash: old.content_hash.clone(),
            revision: old.revision,
            created_at: old.created_at,
            updated_at: old.updated_at,
        };
        if same_words && !new_content {
            return Ok(Replaced::Done(Box::new(workflow)));
        }
        workflow.revision += 1;
        workflow.updated_at = now;
        if new_content {
            workflow.version += 1;
            workflow.definition = text.definition;
            workflow.content_hash = content_hash;
            let sealed = match secrets.seal(cipher.as_ref(), id, workflow.version)? {
                Sealed::Done(sealed) => sealed,
                Sealed::NoMasterKey => return Ok(Replaced::NoMasterKey),
            };
            sqlx::query!(
                "insert into stepwell.workflow_version
                     (workflow_id, version, definition, secrets, content_hash, created_by, created_at)
                 values ($1, $2, $3::text::json, $4, $5, $6, $7)",
                id,
                workflow.version,
                workflow.definition.get(),
                sealed,
                workflow.content_hash,
                actor.name,
                now,
            )
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query!(
            "update stepwell.workflow
             set name = $2, description = $3, status = $4, labels = $5, latest_version = $6,
                 revision = $7, updated_at = $8
             where id = $1",
            id,
            workflow.name,
            workflow.description,
            status_word(active),
            Json(&workflow.labels) as _,
            workflow.version,
            workflow.revision,
            now,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: record::ENTITY,
            entity_id: id,
            sequence: workflow.revision,
            action: "workflow.updated",
            before: Some(record::shown(old.version, &old.content_hash, old.active)),
            after: Some(record::shown(
                workflow.version,
                &workflow.content_hash,
                active,
            )),
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.workflow_changed(id);
        Ok(Replaced::Done(Box::new(workflow)))
    }
}
