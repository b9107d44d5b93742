//! A record is given to a run, once. Two who ask at the same time wait for each other at its row:
//! the second finds the run of the first.

use serde_json::json;
use uuid::Uuid;

use super::ENTITY;
use crate::audit::{self, Entry};
use crate::enqueue::{RunColumns, insert_runs};
use crate::{Error, NewRun, Store, transaction};

/// What came of processing a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Processed {
    /// The run is enqueued.
    Started,
    /// Another run has it already.
    Before {
        run_id: Uuid,
        status: String,
    },
    NotFound,
}

impl Store {
    /// Gives a record to this run, unless it has one; run, record and audit in one transaction.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the run exists; asking again tells.
    pub async fn process_record(&self, id: Uuid, run: &NewRun) -> Result<Processed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let row = sqlx::query!(
            "select status, run_id, revision from stepwell.record where id = $1 for update",
            id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return Ok(Processed::NotFound);
        };
        if let Some(run_id) = row.run_id {
            return Ok(Processed::Before {
                run_id,
                status: row.status,
            });
        }
        sqlx::query!(
            "update stepwell.record
             set status = 'processing', run_id = $2, revision = revision + 1, updated_at = $3
             where id = $1",
            id,
            run.id,
            run.created_at,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: id,
            sequence: row.revision + 1,
            action: "record.processing",
            before: Some(json!({"status": row.status, "run_id": null})),
            after: Some(json!({"status": "processing", "run_id": run.id})),
            actor: &run.actor,
        };
        audit::write(&mut transaction, entry).await?;
        insert_runs(&mut transaction, RunColumns::of(std::iter::once(run))).await?;
        transaction.commit().await?;
        self.say_work(std::iter::once(run));
        Ok(Processed::Started)
    }
}
