//! Schedules rest, and go on.

use stepwell_workflow::Time;

use super::change::lock;
use super::{Changed, Schedule};
use crate::{Actor, Error, Store, transaction};

impl Store {
    /// Pauses a schedule, or lets it go on from `now`: what would have fired in between does not.
    /// Nothing is written when it is as asked already.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; [`Error::Corrupt`] when its pattern cannot be read any more.
    pub async fn pause_schedule(
        &self,
        name_or_id: &str,
        now: Time,
        pause: bool,
        actor: &Actor,
    ) -> Result<Changed, Error> {
        let mut transaction = transaction::begin_in(&self.pool).await?;
        let before = match lock(&mut transaction, name_or_id, None).await? {
            Ok(before) => before,
            Err(answer) => return Ok(answer),
        };
        let (status, action) = if pause {
            ("paused", "schedule.paused")
        } else {
            ("active", "schedule.resumed")
        };
        if before.status == status {
            return Ok(Changed::Done(Box::new(before)));
        }
        let rhythm = before.rhythm()?;
        let after = Schedule {
            status: status.to_owned(),
            next_at: (!pause).then(|| rhythm.after(now)).flatten(),
            revision: before.revision + 1,
            sequence: before.sequence + 1,
            updated_at: now,
            ..before.clone()
        };
        sqlx::query!(
            "update stepwell.schedule
             set status = $2, next_at = $3, revision = $4, sequence = $5, updated_at = $6
             where id = $1",
            after.id,
            after.status,
            after.next_at,
            after.revision,
            after.sequence,
            now,
        )
        .execute(&mut *transaction)
        .await?;
        self.finish_schedule(transaction, action, Some(&before), after, actor)
            .await
    }
}
