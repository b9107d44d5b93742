//! `/api/v1/workers`.

pub mod drain;
pub mod read;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of workers.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("workers")
        .oapi_tag("Workers")
        .get(read::list_workers)
        .push(
            Router::with_path("{id}")
                .get(read::get_worker)
                .push(Router::with_path("drain").post(drain::drain_worker)),
        )
}
