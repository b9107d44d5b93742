//! What may happen to a run ([`Event`]), what must then be done ([`Effect`]) and what is written
//! down about it ([`Record`]).

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::retry::RetryPolicy;
use crate::{Failure, StepKey, Time};

/// Something that happened, in the order in which the driver heard of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A driver took the run: the first event after a load. Starts what is ready, and starts again
    /// what a dead driver left running.
    Begin {
        /// Owners that died while they held it.
        deaths: u16,
    },
    /// An attempt came to its end.
    Outcome {
        key: StepKey,
        attempt: u32,
        /// The policy of the agent that was called, where there was one.
        agent_policy: Option<Arc<RetryPolicy>>,
        outcome: Outcome,
    },
    /// The result of an attempt that was made elsewhere: by another worker, by somebody who polls for
    /// work, or by an agent that called back.
    Reported {
        key: StepKey,
        generation: i32,
        attempt: u32,
        /// The policy of the agent that was called, where there was one.
        agent_policy: Option<Arc<RetryPolicy>>,
        outcome: Outcome,
    },
    /// Time has passed: due delays, backoffs, waits and the run's timeout are looked at.
    Tick,
    /// An attempt has been in flight for long enough to be shown as running.
    Linger {
        key: StepKey,
        /// The policy of the agent that is called, where it is known by now.
        agent_policy: Option<Arc<RetryPolicy>>,
    },
    Cancel {
        reason: Option<String>,
        actor: String,
        request_id: Option<String>,
    },
    Signal {
        name: String,
        payload: Value,
        actor: String,
        request_id: Option<String>,
    },
    Pause {
        actor: String,
        request_id: Option<String>,
    },
    Resume {
        actor: String,
        request_id: Option<String>,
    },
    /// The next generation was opened; says which completed steps run again as well.
    Retry {
        from_step: Option<String>,
        reset: bool,
    },
    /// Nobody has compared the input with the version's JSON Schema yet. Comes before [`Event::Begin`].
    Check,
    /// The child that [`Effect::StartChild`] asked for is sound: it begins with the next commit.
    ChildStarted { key: StepKey, child_run_id: Uuid },
    /// The child that [`Effect::StartChild`] asked for cannot be started.
    ChildRefused {
        key: StepKey,
        child_run_id: Uuid,
        failure: Failure,
    },
    /// A child run is over.
    ChildEnded {
        key: StepKey,
        child_run_id: Uuid,
        result: Result<Value, Failure>,
    },
    /// The worker stops: an attempt was given up by it, and does not count.
    GivenBack {
        key: StepKey,
        /// Whether it was made; one that was only decided has done nothing.
        begun: bool,
    },
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    Completed(Value),
    Failed {
        failure: Failure,
        /// The HTTP status, where there was one (`retry_on`).
        status: Option<u16>,
        /// The agent's Retry-After.
        retry_after: Option<Duration>,
    },
    TimedOut {
        after: Duration,
    },
    /// The agent finishes later, and calls back until then.
    Detached {
        until: Time,
    },
    /// It was not made, because whoever was to be called has enough to do: it is made later, and
    /// does not count.
    Busy {
        failure: Failure,
    },
}

/// Something that the driver must do, after the decision is committed where
/// [`crate::Decision::commit_first`] says so.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    Start(Attempt),
    /// Drop this attempt's future; no outcome is awaited.
    Abort(StepKey),
    /// Drop this attempt's future: its result came by another way.
    Forget(StepKey),
    /// Put this attempt up for others to make, in the same commit.
    Detach {
        attempt: Attempt,
        /// Whose workers make it; `None`: those of the run's own queue.
        queue: Option<Arc<str>>,
        /// Whether it may be made once at most.
        once: bool,
    },
    /// Take an attempt back that is made elsewhere, in the same commit: nobody waits for it.
    Recall(StepKey),
    /// Look whether this run can be started, and answer with [`Event::ChildStarted`] or
    /// [`Event::ChildRefused`] before the next commit, which inserts it.
    StartChild(WantedChild),
    /// Put a cancel message into the child's inbox in the same commit; leave the child out where
    /// it was to begin with that commit.
    CancelChild {
        run_id: Uuid,
        reason: String,
    },
}

/// A child run that a step asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedChild {
    pub key: StepKey,
    pub run_id: Uuid,
    pub workflow: String,
    /// `None`: the one that is active.
    pub version: Option<i32>,
    pub input: Arc<Value>,
    /// Whether the step waits for its end.
    pub wait: bool,
}

/// One try of a step, to be made by a worker.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    pub key: StepKey,
    /// `score` or `score[17]`.
    pub name: String,
    pub attempt: u32,
    pub generation: i32,
    pub call: Call,
    /// The step's own timeout; `None`: the agent's, else the worker's default.
    pub timeout: Option<Duration>,
}

/// What to call, with everything filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    Agent {
        agent: Arc<str>,
        input: Arc<Value>,
    },
    Http {
        method: Arc<str>,
        url: String,
        headers: Vec<(String, String)>,
        body: Option<Value>,
        expect_status: Vec<u16>,
        sign: Option<String>,
    },
    Task {
        task: Arc<str>,
        input: Arc<Value>,
    },
    /// Nothing: somebody polls for work on this topic.
    External {
        topic: Arc<str>,
        input: Arc<Value>,
    },
}

/// A line of the audit log about a run or one of its steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// 1, 2, 3 … within the run, without gaps.
    pub sequence: i64,
    /// The step's name; `None` for the run itself.
    pub step: Option<String>,
    /// `run.started`, `step.completed`, …
    pub action: &'static str,
    /// The status before and after, where it changed.
    pub before: Option<&'static str>,
    pub after: Option<&'static str>,
    /// What else is worth knowing: attempt, error, reason. Never payloads.
    pub detail: Option<Value>,
    /// Who asked for it; `None`: the driver itself.
    pub actor: Option<String>,
    pub request_id: Option<String>,
}
