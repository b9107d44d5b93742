//! Health, version and measurements.

pub mod health;
pub mod measurements;
pub mod version;

pub use version::{COMMIT, VERSION};

use salvo::Router;
use salvo::oapi::RouterExt;

/// Returns the routes of the system.
#[must_use]
pub fn routes() -> Router {
    Router::new()
        .oapi_tag("System")
        .push(
            Router::with_path("health")
                .get(health::health)
                .push(Router::with_path("live").get(health::live))
                .push(Router::with_path("ready").get(health::ready)),
        )
        .push(Router::with_path("version").get(version::version))
        .push(Router::with_path("metrics").get(measurements::metrics))
}
