//! What happens, as server-sent events: of one run, or of everything. The events are the audit
//! records, so they are complete, in order, and there again after a break.

pub mod all;
pub mod last;
pub mod limits;
pub mod run;
pub mod stream;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the route of all events; those of one run are below it, in `runs`.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("events")
        .oapi_tag("Events")
        .get(all::stream_events)
}
