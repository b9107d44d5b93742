//! A message is written, and its run's job made due, in one statement.

use stepwell_workflow::RunStatus;
use uuid::Uuid;

use super::{Sent, Word, cancel, word};
use crate::listen::Hint;
use crate::text::clean;
use crate::{Actor, Error, Store};

impl Store {
    /// Puts a message into a run's inbox and makes its job due, in one transaction. Asked to cancel
    /// a run that no driver has had, it cancels the run at once.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn send(&self, run_id: Uuid, word: Word, actor: Actor) -> Result<Sent, Error> {
        if let Word::Cancel { reason } = &word
            && self
                .cancel_unbegun(run_id, reason.as_deref(), &actor)
                .await?
        {
            return Ok(Sent::Cancelled);
        }
        let (kind, payload) = word::encode(word);
        let row = sqlx::query_file!(
            "queries/send.sql",
            run_id,
            kind,
            payload,
            clean(&actor.name) as _,
            actor.request_id.as_deref().map(clean) as _,
        )
        .fetch_optional(&self.lookups)
        .await?;
        if let Some(row) = row {
            self.announce(if row.leased {
                Hint::Inbox {
                    run_ids: vec![run_id],
                }
            } else {
                Hint::Work { queue: row.queue }
            });
            return Ok(Sent::Accepted);
        }
        match self.status_of(run_id).await? {
            None => Ok(Sent::NotFound),
            Some(status) if status.is_terminal() => Ok(Sent::Over(status)),
            // A run that is not over has a job.
            Some(_) => Err(Error::Corrupt(format!("run {run_id} has no job"))),
        }
    }

    /// Returns the status that the run row holds.
    async fn status_of(&self, run_id: Uuid) -> Result<Option<RunStatus>, Error> {
        let row = sqlx::query!(
            r#"select status::text as "status!" from stepwell.run where id = $1"#,
            run_id
        )
        .fetch_optional(&self.lookups)
        .await?;
        row.map(|row| run_status(&row.status)).transpose()
    }

    async fn cancel_unbegun(
        &self,
        run_id: Uuid,
        reason: Option<&str>,
        actor: &Actor,
    ) -> Result<bool, Error> {
        let mut connection = self.lookups.acquire().await?;
        let Some(mut cancelled) = cancel::unbegun(&mut connection, run_id, reason, actor).await?
        else {
            return Ok(false);
        };
        self.tell_watchers(std::iter::once(run_id));
        drop(connection);
        let left = cancelled.left.take();
        for hint in cancelled.hints(run_id) {
            self.announce(hint);
        }
        if let Some(key) = left {
            self.admit(vec![key]).await;
        }
        Ok(true)
    }
}

/// Reads a status word.
pub(crate) fn run_status(word: &str) -> Result<RunStatus, Error> {
    serde_json::from_value(word.into()).map_err(|error| Error::Corrupt(error.to_string()))
}
