//! Functions of your own that steps of type `task` call, for workers built on this library.
//!
//! A function may run again after a crash, as every attempt may: use
//! [`TaskCall::idempotency_key`] towards whatever it changes. When a step is cancelled or times
//! out its future is dropped; work that it handed to other threads or tasks should watch
//! [`TaskCall::cancelled`]. A function that blocks belongs in `tokio::task::spawn_blocking`.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use stepwell_queue::clock;
pub use stepwell_queue::log::Level;
use stepwell_queue::log::Line;
use stepwell_workflow::Failure;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::steps::Steps;

/// One call of a task function.
#[derive(Clone, Debug)]
pub struct TaskCall {
    pub run_id: Uuid,
    /// The workflow's slug.
    pub workflow: Arc<str>,
    /// The step's name, `charge` or `charge[17]`.
    pub step: String,
    /// From 1.
    pub attempt: u32,
    /// The run's generation: 1, and one more for each retry of the run.
    pub generation: i32,
    pub input: Arc<Value>,
    /// Cancelled when the attempt is over, however it ended.
    pub cancelled: CancellationToken,
    // Not a clone of the store, which would raise a dozen reference counts for each call.
    pub(super) steps: Arc<Steps>,
}

impl TaskCall {
    /// Returns `<run>/<step>/<generation>`: the same for every attempt of this step.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}/{}", self.run_id, self.step, self.generation)
    }

    /// Writes a line into the run's log (`GET /api/v1/runs/{id}/logs`). Never waits; lines are kept
    /// within the bounds of a step and a run, and those of a worker that is killed may be lost.
    pub fn log(&self, level: Level, message: impl Into<String>) {
        self.steps.store.log(Line {
            run_id: self.run_id,
            step: self.step.clone(),
            attempt: self.attempt,
            level,
            at: clock::now(),
            message: message.into(),
        });
    }
}

/// Why a task function did not come to a value. The step fails with type `task_error`.
#[derive(Clone, Debug)]
pub struct TaskError {
    pub(crate) failure: Failure,
    pub(crate) retry_after: Option<Duration>,
}

impl TaskError {
    /// Another attempt may mend it: the step's retry policy decides.
    #[must_use]
    pub fn retryable(message: impl fmt::Display) -> Self {
        Self {
            failure: Failure::retryable("task_error", message.to_string()),
            retry_after: None,
        }
    }

    /// Another attempt will not mend it.
    #[must_use]
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self {
            failure: Failure::fatal("task_error", message.to_string()),
            retry_after: None,
        }
    }

    /// Asks for the next attempt no sooner than this.
    #[must_use]
    pub fn after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

/// An error that says nothing else may be mended by another attempt.
impl<E: std::error::Error> From<E> for TaskError {
    fn from(error: E) -> Self {
        Self::retryable(error)
    }
}

pub(crate) type TaskFuture = Pin<Box<dyn Future<Output = Result<Value, TaskError>> + Send>>;

/// A registered function.
pub(crate) struct TaskFunction {
    call: Box<dyn Fn(TaskCall) -> TaskFuture + Send + Sync>,
    pub(crate) pace: Pace,
}

impl TaskFunction {
    pub(crate) fn call(&self, call: TaskCall) -> TaskFuture {
        (self.call)(call)
    }
}

/// How long a function holds its thread before it first waits or ends: a moving mean. Quick ones
/// are run where the driver stands; slow ones get a task of their own, and so every core.
#[derive(Debug, Default)]
pub(crate) struct Pace(AtomicU64);

/// Nanoseconds that a function may hold its driver, on average. A spawn costs about a microsecond,
/// so below this a spawn would not pay; above, the items of a map should run side by side.
const QUICK_NANOS_MAX: u64 = 50_000;
/// The share of the newest time in the mean.
const PACE_SHARE: u64 = 8;

impl Pace {
    pub(crate) fn is_quick(&self) -> bool {
        self.0.load(Ordering::Relaxed) <= QUICK_NANOS_MAX
    }

    pub(crate) fn took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / PACE_SHARE);
        let mean = self.0.load(Ordering::Relaxed);
        let next = mean - mean / PACE_SHARE + nanos / PACE_SHARE;
        self.0.store(next, Ordering::Relaxed);
    }
}

/// The functions of one worker, by name.
#[derive(Default)]
pub(crate) struct Registry {
    functions: BTreeMap<String, Arc<TaskFunction>>,
}

impl Registry {
    /// Adds a function; answers whether the name was free.
    pub(crate) fn add<F, Fut>(&mut self, name: String, function: F) -> bool
    where
        F: Fn(TaskCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Value, TaskError>> + Send + 'static,
    {
        let function = TaskFunction {
            call: Box::new(move |call| Box::pin(function(call))),
            pace: Pace::default(),
        };
        self.functions.insert(name, Arc::new(function)).is_none()
    }

    /// Adds a function of typed input and output.
    pub(crate) fn add_typed<In, Out, F, Fut>(&mut self, name: String, function: F) -> bool
    where
        In: DeserializeOwned + Send + 'static,
        Out: Serialize + 'static,
        F: Fn(In, TaskCall) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Out, TaskError>> + Send + 'static,
    {
        let function = Arc::new(function);
        self.add(name, move |call: TaskCall| {
            let function = Arc::clone(&function);
            async move {
                let input = In::deserialize(&*call.input)
                    .map_err(|e| TaskError::fatal(format!("the input does not fit: {e}")))?;
                let output = function(input, call).await?;
                serde_json::to_value(output)
                    .map_err(|e| TaskError::fatal(format!("the output is not JSON: {e}")))
            }
        })
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Arc<TaskFunction>> {
        self.functions.get(name)
    }

    /// Returns the names, for a message.
    pub(crate) fn names(&self) -> String {
        if self.functions.is_empty() {
            return "none".to_owned();
        }
        let names: Vec<&str> = self.functions.keys().map(String::as_str).collect();
        names.join(", ")
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.functions.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_function_becomes_slow_and_a_quick_one_quick_again() {
        let pace = Pace::default();
        assert!(pace.is_quick());
        pace.took(Duration::from_millis(2));
        assert!(!pace.is_quick());
        for _ in 0..30 {
            pace.took(Duration::from_micros(2));
        }
        assert!(pace.is_quick());
    }
}
