//! `/api/v1/callbacks`: agents that answered 202 report here, by the token that came with their call.
//! The token is all they need.

pub mod lines;
pub mod logs;
pub mod refusal;
pub mod report;
pub mod said;

use salvo::Router;
use salvo::oapi::RouterExt;

pub use lines::{LogLineInput, read_lines};
pub use refusal::refused;
pub use report::{CallbackInput, Receipt};
pub use said::ErrorInput;

/// Returns the routes of callbacks.
#[must_use]
pub fn routes() -> Router {
    Router::with_path("callbacks/{token}")
        .oapi_tag("Callbacks")
        .post(report::report_callback)
        .push(Router::with_path("logs").post(logs::log_callback))
}
