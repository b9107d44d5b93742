//! `/api/v1/subscriptions`.

pub mod change;
pub mod check;
pub mod create;
pub mod deliveries;
pub mod read;
pub mod secret;
pub mod test;
pub mod wire;

use salvo::Router;
use salvo::oapi::RouterExt;
use stepwell_queue::subscription::{Changed, SUBSCRIPTIONS_MAX};
use uuid::Uuid;

use crate::agents::check::NO_MASTER_KEY;
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Kind, Problem};

/// Returns the routes of subscriptions.
#[must_use]
pub fn routes() -> Router {
    let deliveries = Router::with_path("deliveries")
        .get(deliveries::list_deliveries)
        .push(Router::with_path("{delivery}/redeliver").post(deliveries::redeliver));
    let subscription = Router::with_path("{id}")
        .get(read::get_subscription)
        .put(change::replace_subscription)
        .delete(change::delete_subscription)
        .push(Router::with_path("secret").post(secret::rotate_secret))
        .push(Router::with_path("test").post(test::test_subscription))
        .push(deliveries);
    Router::with_path("subscriptions")
        .oapi_tag("Subscriptions")
        .post(create::create_subscription)
        .get(read::list_subscriptions)
        .push(subscription)
}

fn unknown(id: Uuid) -> Problem {
    Problem::not_found("subscription", &id.to_string())
}

fn disabled() -> Problem {
    Problem::new(
        Kind::StateConflict,
        "The subscription is disabled: make it active first.",
    )
}

/// The problem of a change that was not made. Those that were made or replayed are not asked here.
fn refused(changed: &Changed, id: Uuid) -> Problem {
    match changed {
        Changed::NotFound => unknown(id),
        Changed::Stale { revision } => etag::stale(*revision),
        Changed::KeyReused => IdempotencyKey::reused(),
        Changed::NoMasterKey => Problem::invalid(vec![Fault::at("/secret", NO_MASTER_KEY)]),
        Changed::TooMany => Problem::new(
            Kind::StateConflict,
            format!("There are {SUBSCRIPTIONS_MAX} subscriptions already: delete some first."),
        ),
        Changed::Done(_) | Changed::Replayed(_) => {
            Problem::internal("a change that was made is told as one that was not")
        }
    }
}
