//! A record comes in: alone, or with the run that processes it, in one transaction.

use serde_json::json;

use super::{Created, ENTITY, NewRecord, status_of};
use crate::audit::{self, Entry};
use crate::enqueue::{RunColumns, insert_runs};
use crate::idempotency::{self, Remembered};
use crate::text::clean;
use crate::{Error, Store, transaction};

impl Store {
    /// Writes the record, its run if it has one, and the audit records; returns after the commit.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the record exists; the same key tells.
    pub async fn create_record(&self, new: &NewRecord) -> Result<Created, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        if let Some(idempotency) = &new.idempotency {
            match idempotency::remember(&mut transaction, idempotency).await? {
                Remembered::Fresh => {}
                Remembered::Replayed(answer) => return Ok(Created::Replayed(answer)),
                Remembered::Reused => return Ok(Created::KeyReused),
            }
        }
        let run_id = new.run.as_ref().map(|run| run.id);
        sqlx::query!(
            "insert into stepwell.record
                 (id, source, category, status, payload, run_id, created_by, created_at, updated_at)
             values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $8)",
            new.id,
            clean(&new.source) as _,
            clean(&new.category) as _,
            status_of(new.run.as_ref()),
            new.payload.get(),
            run_id,
            clean(&new.actor.name) as _,
            new.created_at,
        )
        .execute(&mut *transaction)
        .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: new.id,
            sequence: 1,
            action: "record.created",
            before: None,
            after: Some(json!({"status": status_of(new.run.as_ref()), "run_id": run_id})),
            actor: &new.actor,
        };
        audit::write(&mut transaction, entry).await?;
        if let Some(run) = &new.run {
            insert_runs(&mut transaction, RunColumns::of(std::iter::once(run))).await?;
        }
        transaction.commit().await?;
        self.say_work(new.run.iter());
        Ok(Created::Done)
    }
}
