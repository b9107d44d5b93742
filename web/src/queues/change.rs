//! PUT `/api/v1/queues/{name}`, POST `/{name}/pause` and `/{name}/resume`.

use salvo::Writer;
use salvo::oapi::endpoint;

use super::limits::MAX_RUNNING_MAX;
use super::name::QueueName;
use super::wire::{Queue, QueueLimits};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Found, Result};
use crate::body::Body;
use crate::problem::{Fault, Problem};
use crate::query::{Nothing, Query};

/// Limits how many runs of a queue workers may hold at once.
///
/// The limit holds over all workers: they take turns at claiming from a limited queue. Runs that
/// wait (for a time, a signal, a child) are not held. Runs above a limit that is lowered go on.
#[endpoint(operation_id = "limit_queue")]
pub async fn limit_queue(
    app: App,
    caller: Caller,
    name: QueueName,
    _query: Query<Nothing>,
    body: Body<QueueLimits>,
) -> Result<Found<Queue>> {
    let most = body.0.max_running;
    if most.is_some_and(|most| !(1..=MAX_RUNNING_MAX).contains(&most)) {
        let detail = format!(
            "must be a whole number from 1 to {MAX_RUNNING_MAX}, or null for no limit; pause the \
             queue to let nothing run"
        );
        return Err(Problem::invalid(vec![Fault::at("/max_running", detail)]));
    }
    app.store.limit_queue(&name.0, most, &caller.0).await?;
    now(&app, &name).await
}

/// Pauses a queue: no worker takes runs from it until it is resumed.
///
/// What workers hold goes on until it ends or waits. Runs may still be started and cancelled; one that
/// had begun is cancelled when a worker takes it up again.
#[endpoint(operation_id = "pause_queue")]
pub async fn pause_queue(
    app: App,
    caller: Caller,
    name: QueueName,
    _query: Query<Nothing>,
) -> Result<Found<Queue>> {
    app.store.pause_queue(&name.0, &caller.0).await?;
    now(&app, &name).await
}

/// Resumes a paused queue; does nothing to one that is not paused.
#[endpoint(operation_id = "resume_queue")]
pub async fn resume_queue(
    app: App,
    caller: Caller,
    name: QueueName,
    _query: Query<Nothing>,
) -> Result<Found<Queue>> {
    app.store.resume_queue(&name.0, &caller.0).await?;
    now(&app, &name).await
}

async fn now(app: &App, name: &QueueName) -> Result<Found<Queue>> {
    let queue = app.store.queue(&name.0).await?;
    // Nobody uses it, and nobody ever decided anything about it.
    let queue = queue.ok_or_else(|| Problem::not_found("queue", &name.0))?;
    Ok(Found(queue.into()))
}
