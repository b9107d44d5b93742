//! Messages for a run from anybody but its driver.
//!
//! Whoever writes one raises `job.messages` in the same transaction and makes a waiting job due; the
//! driver's commit lowers it by what it took in. The job row's lock puts the two in order: a driver
//! that lets go of its run while a message arrives leaves the job due (D1).
//!
//! [`word`] is the form in which messages are stored, [`send`] writes them, [`cancel`] ends a run
//! that nobody has begun, [`retry`] opens the next generation.

mod cancel;
mod retry;
mod send;
pub(crate) mod word;

use std::collections::HashMap;

use serde_json::Value;
use sqlx::PgConnection;
use stepwell_workflow::RunStatus;
use uuid::Uuid;

pub(crate) use cancel::cancel_within;
pub use retry::Retried;
pub(crate) use send::run_status;

use crate::{Actor, Error, Store};

/// A message as the driver reads it.
#[derive(Clone, Debug)]
pub struct Message {
    /// Goes into [`crate::Changes::consumed`] with the commit that takes it in.
    pub id: i64,
    pub word: Word,
    pub actor: Actor,
}

/// What is asked of a run.
#[derive(Clone, Debug, PartialEq)]
pub enum Word {
    Cancel {
        reason: Option<String>,
    },
    Signal {
        name: String,
        payload: Value,
    },
    Pause,
    Resume,
    Retry {
        from_step: Option<String>,
        reset: bool,
    },
    /// What an attempt came to that was made elsewhere.
    Reported(crate::detached::Report),
    /// The run came by a door that knows no JSON Schema: its input is checked before it begins.
    Check,
    /// The run has its place under its concurrency key.
    Admitted,
    ChildEnded {
        step: u16,
        item: Option<u32>,
        child_run_id: Uuid,
        result: Result<Value, stepwell_workflow::Failure>,
    },
}

/// What came of sending a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// Written, and the run's driver is on its way.
    Accepted,
    /// It asked to cancel a run that no driver had begun: the run is cancelled already.
    Cancelled,
    /// There is no such run.
    NotFound,
    /// The run is over, with this status.
    Over(RunStatus),
}

impl Store {
    /// Reads the inboxes of these runs, oldest first.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn messages(&self, run_ids: &[Uuid]) -> Result<Vec<(Uuid, Message)>, Error> {
        let mut connection = self.pool.acquire().await?;
        let read = read(&mut connection, run_ids).await?;
        let mut all: Vec<_> = read
            .into_iter()
            .flat_map(|(run_id, messages)| messages.into_iter().map(move |m| (run_id, m)))
            .collect();
        all.sort_by_key(|(_, message)| message.id);
        Ok(all)
    }
}

/// Reads the inboxes of these runs. A message that cannot be read is left out and logged: the run
/// goes on without it.
pub(crate) async fn read(
    connection: &mut PgConnection,
    run_ids: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Message>>, Error> {
    let rows = sqlx::query!(
        r#"select i.id as "id!", i.run_id as "run_id!", i.kind as "kind!", i.payload::text as "payload!",
                  i.actor as "actor!", i.request_id
           from unnest($1::uuid[]) as wanted (run_id)
           join stepwell.inbox i on i.run_id = wanted.run_id
           order by i.id"#,
        run_ids
    )
    .fetch_all(connection)
    .await?;
    let mut read: HashMap<Uuid, Vec<Message>> = HashMap::new();
    for row in rows {
        match word::decode(&row.kind, &row.payload) {
            Ok(word) => read.entry(row.run_id).or_default().push(Message {
                id: row.id,
                word,
                actor: Actor {
                    name: row.actor,
                    request_id: row.request_id,
                    traceparent: None,
                },
            }),
            Err(problem) => {
                tracing::error!(run_id = %row.run_id, message = row.id, problem, "a message cannot be read");
            }
        }
    }
    Ok(read)
}
