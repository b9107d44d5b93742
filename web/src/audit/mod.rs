//! `/api/v1/audit`.

pub mod list;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of the audit log.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("audit")
        .oapi_tag("Audit")
        .get(list::list_audit)
}
