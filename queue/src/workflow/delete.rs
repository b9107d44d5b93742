//! A workflow goes: it takes no new runs, and its slug is free. Runs of it go on.

use uuid::Uuid;

use super::record;
use crate::audit::{self, Entry};
use crate::{Actor, Error, Revision, Store, transaction};

/// What came of a deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    Done,
    NotFound,
    /// It is not at one of the expected revisions.
    Stale {
        revision: Revision,
    },
}

impl Store {
    /// Marks a workflow as deleted; with `expected`, only if it is at one of these revisions.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_workflow(
        &self,
        id: Uuid,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Deleted, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        super::lock::lock(&mut transaction, id).await?;
        let Some(old) = sqlx::query!(
            r#"select w.revision, w.status = 'active' as "active!", v.version, v.content_hash
               from stepwell.workflow w
               join stepwell.workflow_version v
                 on v.workflow_id = w.id and v.version = w.latest_version
               where w.id = $1 and w.deleted_at is null"#,
            id
        )
        .fetch_optional(&mut *transaction)
        .await?
        else {
            return Ok(Deleted::NotFound);
        };
        let revision = Revision {
            of: id,
            number: old.revision,
        };
        if expected.is_some_and(|revisions| !revisions.contains(&revision)) {
            return Ok(Deleted::Stale { revision });
        }
        sqlx::query!(
            "update stepwell.workflow
             set deleted_at = now(), updated_at = now(), revision = revision + 1
             where id = $1",
            id
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: record::ENTITY,
            entity_id: id,
            sequence: old.revision + 1,
            action: "workflow.deleted",
            before: Some(record::shown(old.version, &old.content_hash, old.active)),
            after: None,
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.workflow_changed(id);
        Ok(Deleted::Done)
    }
}
