//! `/api/v1/queues`.

pub mod change;
pub mod limits;
pub mod name;
pub mod read;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of queues.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("queues")
        .oapi_tag("Queues")
        .get(read::list_queues)
        .push(
            Router::with_path("{name}")
                .get(read::get_queue)
                .put(change::limit_queue)
                .push(Router::with_path("pause").post(change::pause_queue))
                .push(Router::with_path("resume").post(change::resume_queue)),
        )
}
