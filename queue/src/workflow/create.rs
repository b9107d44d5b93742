//! A workflow comes to be, with its first version.

use sqlx::types::Json;

use super::secrets::Sealed;
use super::{Created, NewWorkflow, agents, record, status_word};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::{Error, Store, transaction};

impl Store {
    /// Writes the workflow, its first version and the audit record; returns after the commit.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the workflow exists.
    pub async fn create_workflow(&self, new: &NewWorkflow) -> Result<Created, Error> {
        let text = &new.text;
        let secrets = match text.secrets.seal(self.cipher()?.as_ref(), new.id, 1)? {
            Sealed::Done(sealed) => sealed,
            Sealed::NoMasterKey => return Ok(Created::NoMasterKey),
        };
        let content_hash = text.secrets.hash(&text.content_hash);
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let active = text.active.unwrap_or(true);
        if let Some(idempotency) = &new.idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Created::Replayed(answer)),
                Remembered::Reused => return Ok(Created::KeyReused),
            }
        }
        let gone = agents::hold(&mut transaction, &text.agents).await?;
        if !gone.is_empty() {
            return Ok(Created::AgentsGone(gone));
        }
        let made = sqlx::query!(
            "insert into stepwell.workflow
                 (id, slug, name, description, status, latest_version, labels, created_at, updated_at)
             values ($1, $2, $3, $4, $5, 1, $6, $7, $7)
             on conflict (slug) where deleted_at is null do nothing",
            new.id,
            new.slug,
            text.name,
            text.description,
            status_word(active),
            Json(&text.labels) as _,
            new.created_at,
        )
        .execute(&mut *transaction)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(Created::SlugTaken);
        }
        sqlx::query!(
            "insert into stepwell.workflow_version
                 (workflow_id, version, definition, secrets, content_hash, created_by, created_at)
             values ($1, 1, $2::text::json, $3, $4, $5, $6)",
            new.id,
            text.definition.get(),
            secrets,
            content_hash,
            new.actor.name,
            new.created_at,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: record::ENTITY,
            entity_id: new.id,
            sequence: 1,
            action: "workflow.created",
            before: None,
            after: Some(record::shown(1, &content_hash, active)),
            actor: &new.actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.workflow_changed(new.id);
        Ok(Created::Done)
    }
}
