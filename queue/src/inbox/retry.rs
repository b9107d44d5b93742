//! The next generation of a run that did not complete (D11). The failed one stays readable: its step
//! rows keep their generation, its records stay.

use stepwell_workflow::RunStatus;
use uuid::Uuid;

use super::send::run_status;
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
        let row = sqlx::query_file!(
            "queries/retry.sql",
            run_id,
            from_step.as_deref().map(clean) as _,
            reset,
            clean(&actor.name) as _,
            actor.request_id.as_deref().map(clean) as _,
        )
        .fetch_one(&self.lookups)
        .await?;
        let status = || run_status(row.status.as_deref().unwrap_or_default());
        Ok(
            match (row.outcome.as_str(), row.generation, row.queue, row.holder) {
                ("accepted", Some(generation), Some(queue), _) => {
                    self.tell_watchers(std::iter::once(run_id));
                    self.announce(Hint::Work { queue });
                    Retried::Accepted { generation }
                }
                ("not_found", ..) => Retried::NotFound,
                ("completed", ..) => Retried::Completed,
                ("not_over", ..) => Retried::NotOver(status()?),
                ("duplicate", .., Some(run_id)) => Retried::Duplicate { run_id },
                (other, ..) => return Err(Error::Corrupt(format!("a retry came to {other:?}"))),
            },
        )
    }
}
