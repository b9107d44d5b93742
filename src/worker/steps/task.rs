//! Step type `task`: calls a function registered in this worker.
//!
//! A quick function is polled once where its driver stands; if that ends it, the attempt costs no
//! spawn and no timer. A function that takes its time gets a task of its own from the start.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use stepwell_workflow::{Attempt, Call, Failure, Outcome};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{Begun, InFlight, Origin, Steps, failed, unpanicked};
use crate::worker::tasks::{TaskCall, TaskError, TaskFunction};

impl Steps {
    pub(super) fn begin_task(self: &Arc<Self>, origin: &Origin, attempt: Attempt) -> Begun {
        let Call::Task { task, input } = attempt.call else {
            let failure = Failure::fatal("task_error", "this is not a call of a task");
            return Begun::Landed(failed(failure));
        };
        let Some(function) = self.tasks.get(&task) else {
            return Begun::Landed(failed(self.unknown(&task)));
        };
        let cancelled = CancellationToken::new();
        let guard = cancelled.clone().drop_guard();
        let call = TaskCall {
            run_id: origin.run_id,
            workflow: Arc::clone(&origin.workflow),
            step: attempt.name,
            attempt: attempt.attempt,
            generation: attempt.generation,
            input,
            cancelled,
            steps: Arc::clone(self),
        };
        let quick = function.pace.is_quick();
        let mut running = Box::pin(unpanicked(run(Arc::clone(function), call, guard)));
        if quick {
            let mut nowhere = Context::from_waker(Waker::noop());
            if let Poll::Ready(outcome) = running.as_mut().poll(&mut nowhere) {
                return Begun::Landed(outcome);
            }
        }
        let after = attempt.timeout.unwrap_or(self.timeout);
        Begun::InFlight(InFlight {
            running: Box::pin(bounded(after, running)),
            agent_policy: None,
        })
    }

    fn unknown(&self, task: &str) -> Failure {
        Failure::fatal(
            "unknown_task",
            format!(
                "this worker has no task `{task}` (it has: {}); give runs that need it a queue which only workers with it serve",
                self.tasks.names()
            ),
        )
    }
}

async fn bounded(after: Duration, running: impl Future<Output = Outcome>) -> Outcome {
    tokio::time::timeout(after, running)
        .await
        .unwrap_or(Outcome::TimedOut { after })
}

/// Calls a function to its end, and notes how long it held its thread at first.
async fn run(function: Arc<TaskFunction>, call: TaskCall, _over: DropGuard) -> Outcome {
    // Inside, for the call itself may panic before there is a future.
    let mut calling = pin!(async { function.call(call).await });
    let mut first = true;
    let ended = poll_fn(|context| {
        if !first {
            return calling.as_mut().poll(context);
        }
        first = false;
        let begun = Instant::now();
        let polled = calling.as_mut().poll(context);
        function.pace.took(begun.elapsed());
        polled
    });
    match ended.await {
        Ok(output) => Outcome::Completed(output),
        Err(TaskError {
            failure,
            retry_after,
        }) => Outcome::Failed {
            failure,
            status: None,
            retry_after,
        },
    }
}
