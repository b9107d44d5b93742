//! The seam to apalis: the backend's claims go through a stack of tower layers to the drivers.
//!
//! From the outside in: `concurrency` bounds the runs driven at once, and claims wait for it;
//! `parallelize` gives each run a task of its own, without which all would share one core; the
//! backend's own layer gives the run of a broken driver back; `catch_panic` makes a panic such a
//! break, so it must be the innermost; then the driver itself, in its span.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use apalis::layers::WorkerBuilderExt;
use apalis::layers::catch_panic::CatchPanicLayer;
use apalis::prelude::{BoxDynError, ParallelizeExt, Task, WorkerBuilder, WorkerError};
use stepwell_queue::Claimed;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Layer, Service};
use tracing::Instrument;

use super::context::Context;
use super::driver::drive;

/// Takes claimed runs to their drivers, until `stop` is cancelled and the last driver has ended.
pub(crate) async fn work(
    backend: stepwell_queue::backend::Backend,
    context: Arc<Context>,
    drivers: TaskTracker,
    slots: usize,
    stop: CancellationToken,
) {
    // A stop that comes before the start would be lost: apalis overwrites it when it starts.
    if stop.is_cancelled() {
        return;
    }
    let name = context.worker.id().to_string();
    let worker = WorkerBuilder::new(name)
        .backend(backend)
        .concurrency(slots)
        .parallelize(tokio::spawn)
        .build(CatchPanicLayer::new().layer(Drivers { context, drivers }));
    let stopped = stop.clone();
    let ended = worker
        .run_until(async move {
            stopped.cancelled().await;
            Ok::<(), WorkerError>(())
        })
        .await;
    match ended {
        Ok(()) => {}
        // Stopped before it had begun.
        Err(_) if stop.is_cancelled() => {}
        Err(error) => tracing::error!(%error, "the backend broke"),
    }
}

/// Makes a driver for every claimed run.
#[derive(Clone)]
struct Drivers {
    context: Arc<Context>,
    drivers: TaskTracker,
}

impl<Ctx, Id> Service<Task<Claimed, Ctx, Id>> for Drivers {
    type Response = ();
    type Error = BoxDynError;
    type Future = Pin<Box<dyn Future<Output = Result<(), Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, task: Task<Claimed, Ctx, Id>) -> Self::Future {
        let claimed = task.args;
        let span = tracing::info_span!(
            "run",
            run_id = %claimed.header.id,
            workflow = %claimed.header.workflow_name,
        );
        let context = Arc::clone(&self.context);
        let counted = self.drivers.token();
        let driving = async move {
            drive(context, claimed, counted).await;
            Ok(())
        };
        Box::pin(driving.instrument(span))
    }
}
