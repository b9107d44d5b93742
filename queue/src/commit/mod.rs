//! What drivers decided is written: whatever has piled up while the last commit was in flight goes
//! into the next one, as one statement over arrays, fenced by the worker's own row (D4).
//!
//! [`encode`] makes [`rows`] of one driver's changes, [`batch`] gathers the rows of many drivers as
//! columns, [`lane`] decides what is in a batch, [`settle`] sees it through and tells its drivers,
//! [`write`] is one commit, [`statement`] holds its statements, [`copy`] what is quicker when there are
//! many rows.

mod batch;
mod copy;
mod encode;
mod lane;
mod rows;
mod settle;
mod statement;
mod write;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use serde_json::Value;
use stepwell_workflow::snapshot::Parent;
use stepwell_workflow::{BlockedOn, Failure, Record, RunStatus, StepKey, StepSnapshot, Time};
use tokio::sync::oneshot;
use uuid::Uuid;

pub(crate) use lane::Lanes;

use crate::detached::PutUp;
use crate::inbox::Word;
use crate::{Actor, NewRun};

/// All that one driver wants written at once. Either all of it is committed or none.
#[derive(Debug, Default)]
pub struct Changes {
    pub run_id: Uuid,
    pub generation: i32,
    pub steps: Vec<StepWrite>,
    pub records: Vec<Record>,
    /// Ids of the inbox messages that were taken in.
    pub consumed: Vec<i64>,
    /// Set once in a generation: when the driver lets go of the run, or earlier to show it.
    pub started_at: Option<Time>,
    pub children: Vec<NewRun>,
    /// Messages to other runs (cancel a child).
    pub messages: Vec<(Uuid, Word, Actor)>,
    /// Attempts that others are to make.
    pub put_up: Vec<PutUp>,
    /// Attempts that others make and nobody waits for any more.
    pub recalled: Vec<StepKey>,
    /// Nobody waits for any of them.
    pub recalls_all: bool,
    /// The number of the last record, those of earlier commits included.
    pub sequence: i64,
    /// `None`: the driver keeps the job.
    pub end: Option<End>,
    /// Whether the run is paused from now on; `None`: as it was. Said in the commit that takes the word in, so that
    /// it outlives this driver.
    pub paused: Option<bool>,
    /// Whether a run whose worker died has made progress since: it is no suspect any more.
    pub came_through: bool,
    /// Whether the run has a place under a concurrency key, which it gives back when it ends.
    pub placed: bool,
}

impl Changes {
    /// Says whether the job's row is written. Its number of the last record then goes on, and whoever looks for the
    /// start looks behind that number only: so the start must be written with it.
    pub fn writes_job(&self) -> bool {
        self.end.is_some()
            || self.started_at.is_some()
            || !self.consumed.is_empty()
            || self.came_through
    }
}

/// A step row to be written.
#[derive(Debug)]
pub struct StepWrite {
    pub snapshot: StepSnapshot,
    /// Whether the row exists in this generation: updated, else inserted.
    pub exists: bool,
}

/// How a driver lets go of its run.
#[derive(Debug)]
pub enum End {
    /// The run is over: the job row goes, the run row gets its outcome, the parent hears of it.
    Finished {
        status: RunStatus,
        output: Option<Arc<Value>>,
        error: Option<Failure>,
        finished_at: Time,
        cancelled_by: Option<String>,
        cancel_reason: Option<String>,
        parent: Option<Parent>,
    },
    /// Nothing to do before `wake_at`, or (`None`) before a message comes.
    Released {
        wake_at: Option<Time>,
        blocked_on: BlockedOn,
    },
    /// The worker stops: due at once for another.
    GivenBack,
}

/// How long a run is left alone whose end the database refused.
const SET_ASIDE: chrono::TimeDelta = chrono::TimeDelta::seconds(60);

/// What came of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    Done,
    /// This worker is no longer alive to the database: nothing was written, and nothing of this
    /// run may be done any more.
    Fenced,
    /// The connection broke in the middle: it may or may not be written. The run must be dropped
    /// from memory; its job is given back as soon as the database answers, and whoever takes it
    /// reads what is true.
    Unknown,
    /// The database will never take these changes, for this reason: nothing was written. The
    /// driver still holds the run and should fail it.
    Refused(String),
}

/// A commit on its way. The future ends when it is durable, or is known not to be; it waits through a
/// database that is away, and holds no rows: thousands of drivers wait here.
#[derive(Debug)]
pub struct Committing(Option<oneshot::Receiver<Committed>>);

impl Future for Committing {
    type Output = Committed;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Committed> {
        let Some(answered) = &mut self.0 else {
            return Poll::Ready(Committed::Fenced);
        };
        // A lane that ended without an answer leaves it open what it did.
        let answered = Pin::new(answered).poll(context);
        answered.map(|committed| committed.unwrap_or(Committed::Unknown))
    }
}

/// A handle on the group commit of one worker. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Committer {
    pub(crate) lanes: Arc<Lanes>,
}

impl Committer {
    /// Puts these changes on their way at once.
    pub fn commit(&self, changes: Changes) -> Committing {
        // Done here, in the driver's task, so that it uses every core.
        self.lanes.put(encode::encode(changes))
    }

    /// Lets go of a run whose end the database refused for this reason: nobody can drive it now, so it rests a while
    /// and says why, and then somebody tries again. Where the database refuses that as well, the run is given back
    /// once the worker notices that nobody drives it.
    pub async fn set_aside(&self, run_id: Uuid, generation: i32, reason: String) {
        tracing::error!(%run_id, reason, "the end of the run was refused; it is tried again later");
        let now = crate::clock::now();
        let changes = Changes {
            run_id,
            generation,
            end: Some(End::Released {
                wake_at: Some(now + SET_ASIDE),
                blocked_on: BlockedOn {
                    kind: "refused",
                    since: now,
                    until: Some(now + SET_ASIDE),
                    detail: Some(reason),
                },
            }),
            ..Changes::default()
        };
        if let Committed::Refused(reason) = self.commit(changes).await {
            tracing::error!(%run_id, reason, "it could not be set aside");
        }
    }

    /// Gives a run back whose driver broke: a death is counted, as if its worker had died. Whatever
    /// that driver had committed is in the database by then.
    pub(crate) fn give_back_broken(&self, run_id: Uuid) -> Committing {
        self.lanes.put(encode::broken(run_id))
    }
}
