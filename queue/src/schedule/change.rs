//! Schedules are made, changed and deleted. Each change writes its audit record in its
//! transaction.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, Postgres, Transaction};
use stepwell_workflow::Time;
use uuid::Uuid;

use super::{Changed, ENTITY, NewSchedule, Schedule, read};
use crate::audit::{self, Entry};
use crate::idempotency::{self, Remembered};
use crate::new_run::Idempotency;
use crate::{Actor, Error, Revision, Store, transaction};

impl Store {
    /// Makes a schedule. The caller chooses id and time, because the idempotency key keeps the
    /// answer that tells of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: it is unknown whether the schedule exists; the same key tells.
    pub async fn create_schedule(
        &self,
        id: Uuid,
        at: Time,
        new: &NewSchedule,
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
        let inserted = sqlx::query!(
            "insert into stepwell.schedule
                 (id, name, workflow, version, input, cron, time_zone, overlap, catch_up, labels, queue,
                  priority, status, next_at, created_at, updated_at)
             values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $15)
             on conflict (name) do nothing",
            id,
            new.name,
            new.workflow,
            new.version,
            new.input.get(),
            new.cron,
            new.time_zone,
            new.overlap.as_str(),
            new.catch_up,
            new.kept_labels(),
            new.queue,
            new.priority,
            new.status(),
            new.next_after(at),
            at,
        )
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            return Ok(Changed::NameTaken);
        }
        let schedule = Schedule::fresh(id, at, new);
        self.finish_schedule(transaction, "schedule.created", None, schedule, actor)
            .await
    }

    /// Replaces what clients decide about a schedule. Nothing is written when nothing changes. The
    /// next firing is counted from `now` when the clock or the status changes, else it stays.
    /// `expected`: the revisions that the change may be based on; `None` is any.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn replace_schedule(
        &self,
        name_or_id: &str,
        now: Time,
        new: &NewSchedule,
        expected: Option<&[Revision]>,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, name_or_id, expected).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        let mut after = Schedule {
            last_at: before.last_at,
            last_run_id: before.last_run_id,
            last_error: before.last_error.clone(),
            created_at: before.created_at,
            ..Schedule::fresh(before.id, now, new)
        };
        if shown(&before) == shown(&after) {
            return Ok(Changed::Done(Box::new(before)));
        }
        let clock = |s: &Schedule| (s.cron.clone(), s.time_zone.clone(), s.status.clone());
        if clock(&before) == clock(&after) {
            after.next_at = before.next_at;
        }
        after.revision = before.revision + 1;
        after.sequence = before.sequence + 1;
        let updated = sqlx::query!(
            "update stepwell.schedule
             set name = $2, workflow = $3, version = $4, input = $5::text::json, cron = $6, time_zone = $7,
                 overlap = $8, catch_up = $9, labels = $10, queue = $11, priority = $12, status = $13,
                 next_at = $14, revision = $15, sequence = $16, updated_at = $17
             where id = $1",
            before.id,
            new.name,
            new.workflow,
            new.version,
            new.input.get(),
            new.cron,
            new.time_zone,
            new.overlap.as_str(),
            new.catch_up,
            new.kept_labels(),
            new.queue,
            new.priority,
            new.status(),
            after.next_at,
            after.revision,
            after.sequence,
            now,
        )
        .execute(&mut *transaction)
        .await;
        match updated {
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                return Ok(Changed::NameTaken);
            }
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
        self.finish_schedule(transaction, "schedule.updated", Some(&before), after, actor)
            .await
    }

    /// Deletes a schedule; its runs stay.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_schedule(
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
        sqlx::query!("delete from stepwell.schedule where id = $1", before.id)
            .execute(&mut *transaction)
            .await?;
        let entry = Entry {
            entity_type: ENTITY,
            entity_id: before.id,
            sequence: before.sequence + 1,
            action: "schedule.deleted",
            before: Some(shown(&before)),
            after: None,
            actor,
        };
        audit::write(&mut transaction, entry).await?;
        transaction.commit().await?;
        self.announce_changed(ENTITY, before.id);
        Ok(Changed::Done(Box::new(before)))
    }

    /// Audits, commits, and only then tells everybody.
    pub(super) async fn finish_schedule(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        action: &str,
        before: Option<&Schedule>,
        after: Schedule,
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
}

/// Takes the schedule's row for the length of the transaction. The inner `Err` is the answer of a
/// change that cannot be made.
pub(super) async fn lock(
    connection: &mut PgConnection,
    name_or_id: &str,
    expected: Option<&[Revision]>,
) -> Result<Result<Schedule, Changed>, Error> {
    let Some(schedule) = read::locked(connection, name_or_id).await? else {
        return Ok(Err(Changed::NotFound));
    };
    let revision = Revision {
        of: schedule.id,
        number: schedule.revision,
    };
    if expected.is_some_and(|revisions| !revisions.contains(&revision)) {
        return Ok(Err(Changed::Stale { revision }));
    }
    Ok(Ok(schedule))
}

/// What clients decide about it, as the audit log shows it: of the input, that it is another.
fn shown(schedule: &Schedule) -> Value {
    let input = Sha256::digest(schedule.input.get());
    json!({
        "name": schedule.name, "workflow": schedule.workflow, "version": schedule.version,
        "input_sha256": STANDARD.encode(input), "cron": schedule.cron, "time_zone": schedule.time_zone,
        "overlap": schedule.overlap, "catch_up": schedule.catch_up, "labels": schedule.labels,
        "queue": schedule.queue, "priority": schedule.priority, "status": schedule.status,
    })
}
