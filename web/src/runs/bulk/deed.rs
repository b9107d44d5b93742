//! What is done to each of many runs.

use stepwell_queue::inbox::{Retried, Word};
use stepwell_queue::{Actor, Sent};
use stepwell_workflow::RunStatus;
use uuid::Uuid;

use crate::App;
use crate::answer::Result;

/// `None`: done; else why not.
pub(super) type Outcome = Result<Option<&'static str>>;

/// What is done to each run.
#[derive(Clone)]
pub(super) enum Deed {
    Cancel { reason: Option<String> },
    Retry { reset: bool },
}

impl Deed {
    pub(super) async fn act(self, app: App, id: Uuid, actor: Actor) -> Outcome {
        match self {
            Self::Cancel { reason } => {
                let sent = app.store.send(id, Word::Cancel { reason }, actor).await?;
                Ok(match sent {
                    Sent::Accepted | Sent::Cancelled => None,
                    Sent::NotFound => Some("not_found"),
                    Sent::Over(RunStatus::Cancelled) => Some("already_cancelled"),
                    Sent::Over(status) => Some(status.as_str()),
                })
            }
            Self::Retry { reset } => Ok(match app.store.retry(id, None, reset, actor).await? {
                Retried::Accepted { .. } => None,
                Retried::NotFound => Some("not_found"),
                Retried::Completed => Some("completed"),
                Retried::NotOver(_) => Some("not_over"),
                Retried::Duplicate { .. } => Some("dedupe_key"),
            }),
        }
    }
}
