//! `/api/v1/external`: work that a client in any language polls for.

pub mod heartbeat;
mod lease;
pub mod poll;
pub mod result;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of external work.
#[must_use]
pub fn routes() -> Router {
    let at = |path: &str| Router::with_path(format!("external/{path}"));
    Router::new()
        .oapi_tag("External work")
        .push(at("{topic}/poll").post(poll::poll_external))
        .push(at("{token}/heartbeat").post(heartbeat::hold_external))
        .push(at("{token}/complete").post(result::complete_external))
        .push(at("{token}/fail").post(result::fail_external))
}
