//! POST `/api/v1/subscriptions/{id}/test`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::delivery::Asked;

use super::wire::Delivery;
use super::{disabled, unknown};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Accepted, Result};
use crate::clock::now;
use crate::path::Id;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Sends a test event (`stepwell.subscription.test`) to a subscriber, whatever it hears of.
///
/// Its deliveries tell what came of it.
#[endpoint(
    operation_id = "test_subscription",
    responses((status_code = 409, description = "The subscription is disabled.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn test_subscription(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Accepted<Delivery>> {
    match app.store.test_subscription(id.0, now(), &caller.0).await? {
        Asked::Accepted(delivery) => Ok(Accepted::Now {
            body: Delivery::from(*delivery),
            location: None,
        }),
        Asked::NotFound => Err(unknown(id.0)),
        Asked::Disabled => Err(disabled()),
    }
}
