//! POST `/api/v1/subscriptions`.

use salvo::Writer;
use salvo::oapi::endpoint;
use secrecy::ExposeSecret;
use stepwell_queue::subscription::{self, Changed, NewSecret};

use super::wire::{Subscription, SubscriptionInput};
use super::{check, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Created, Result};
use crate::body::Body;
use crate::clock::{self, now};
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::Problem;
use crate::query::{Nothing, Query};

/// Subscribes a URL to events.
///
/// Each event is a CloudEvents 1.0 document, signed as Standard Webhooks has it and tried for a day.
/// The secret is in this answer and in none after it; a repeated request with the same
/// `Idempotency-Key` does not show it again.
#[endpoint(
    operation_id = "create_subscription",
    responses((status_code = 409, description = "There are too many subscriptions.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_subscription(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<SubscriptionInput>,
    key: IdempotencyKey,
) -> Result<Created<Subscription>> {
    let new = check::check(body.0, app.store.keeps_secrets(), false)?;
    let (id, at) = (clock::id(), now());
    // What is kept for the key is kept in the clear, so the secret is not in it.
    let first = Subscription::from(subscription::Subscription::fresh(id, at, &new));
    let location = format!("/api/v1/subscriptions/{id}");
    let key = key.with(201, Some(location.clone()), &first)?;
    let made = app
        .store
        .create_subscription(id, at, &new, &caller.0, key.as_ref())
        .await?;
    match (made, &new.secret) {
        (Changed::Done(made), NewSecret::Set(secret)) => Ok(Created::Now {
            etag: etag::tag(made.id, made.revision),
            body: Subscription {
                secret: secret.expose_secret().to_owned(),
                ..Subscription::from(*made)
            },
            location,
        }),
        (Changed::Replayed(answer), _) => Ok(Created::Before(answer)),
        (other, _) => Err(refused(&other, id)),
    }
}
