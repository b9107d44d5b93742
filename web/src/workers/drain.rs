//! POST `/api/v1/workers/{id}/drain`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::worker::Drained;

use super::read;
use super::wire::Worker;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::path::Id;
use crate::problem::{Kind, Problem};
use crate::query::{Nothing, Query};

/// Lets a worker finish: it takes no more runs, begins no more steps, ends what is in flight and
/// leaves. Other workers go on with its runs.
///
/// A process that is nothing but this worker ends then, with success.
#[endpoint(
    operation_id = "drain_worker",
    responses((status_code = 409, description = "The worker is dead or gone.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn drain_worker(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Accepted<Worker>> {
    match app.store.drain_worker(id.0, &caller.0).await? {
        Drained::Accepted => Ok(Accepted::Now {
            body: read::find(&app, id).await?,
            location: None,
        }),
        Drained::NotFound => Err(Problem::not_found("worker", &id.0.to_string())),
        Drained::Over(status) => Err(Problem::new(
            Kind::StateConflict,
            format!("The worker is {status}."),
        )),
    }
}
