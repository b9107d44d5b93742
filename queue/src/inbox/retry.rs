//! The next generation of a run that did not complete (D11). The failed one stays readable: its step
//! rows keep their generation, its records stay.

use sqlx::Connection as _;
use stepwell_workflow::RunStatus;
use uuid::Uuid;

use super::send::run_status;
use super::{Word, word};
use crate::listen::Hint;
use crate::text::clean;
use crate::{Actor, Error, Store};

/// What came of asking for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// The next generation is on its way.
    Accepted { generation: i32 },
    /// There is no such run.
    NotFound,
    /// The run is still under way, with this status in its row.
    NotOver(RunStatus),
    /// Completed runs are not retried.
    Completed,
    /// Another live run of this workflow has taken over the run's dedupe key.
    Duplicate { run_id: Uuid },
}

impl Store {
    /// Opens the next generation of a failed, cancelled or timed-out run, in one transaction.
    /// `from_step`: completed steps from this one on run again; `reset`: all of them.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn retry(
        &self,
        run_id: Uuid,
        from_step: Option<String>,
        reset: bool,
        actor: Actor,
    ) -> Result<Retried, Error> {
        let mut connection = self.pool.acquire().await?;
        let mut transaction = connection.begin().await?;
        let row = sqlx::query!(
            r#"select status::text as "status!", generation as "generation!", sequence as "sequence!",
                      queue as "queue!", priority as "priority!", workflow_id as "workflow_id!", dedupe_key
               from stepwell.run where id = $1 for update"#,
            run_id
        )
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return Ok(Retried::NotFound);
        };
        let status = run_status(&row.status)?;
        match status {
            RunStatus::Completed => return Ok(Retried::Completed),
            RunStatus::Failed | RunStatus::Cancelled | RunStatus::TimedOut => {}
            other => return Ok(Retried::NotOver(other)),
        }
        if let Some(key) = &row.dedupe_key {
            let holder = sqlx::query!(
                r#"with taken as (
                       insert into stepwell.dedupe (workflow_id, key, run_id) values ($1, $2, $3)
                       on conflict (workflow_id, key) do nothing returning run_id)
                   select run_id as "run_id!" from taken
                   union all
                   select run_id from stepwell.dedupe where workflow_id = $1 and key = $2"#,
                row.workflow_id,
                key,
                run_id
            )
            .fetch_optional(&mut *transaction)
            .await?;
            if let Some(holder) = holder
                && holder.run_id != run_id
            {
                return Ok(Retried::Duplicate {
                    run_id: holder.run_id,
                });
            }
        }
        let (kind, payload) = word::encode(Word::Retry { from_step, reset });
        let generation = row.generation + 1;
        sqlx::query_file!(
            "queries/retry.sql",
            run_id,
            generation,
            row.sequence + 1,
            row.queue,
            -row.priority,
            kind,
            payload,
            clean(&actor.name) as _,
            actor.request_id.as_deref().map(clean) as _,
            Uuid::now_v7(),
            format!("\"{}\"", status.as_str()),
        )
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        self.tell_watchers(std::iter::once(run_id));
        self.announce(Hint::Work { queue: row.queue });
        Ok(Retried::Accepted { generation })
    }
}
