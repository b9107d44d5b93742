//! POST `/api/v1/subscriptions/{id}/secret`.

use salvo::Writer;
use salvo::oapi::endpoint;
use secrecy::ExposeSecret;
use stepwell_queue::subscription::{Changed, fresh_secret};

use super::refused;
use super::wire::Subscription;
use crate::App;
use crate::actor::Caller;
use crate::answer::{Result, Tagged};
use crate::clock::now;
use crate::etag;
use crate::path::Id;
use crate::query::{Nothing, Query};

/// Makes another secret for a subscription.
///
/// It is in this answer and in none after it. For 24 hours events are signed with both, so that the
/// receiver can change its own meanwhile.
#[endpoint(operation_id = "rotate_subscription_secret")]
pub async fn rotate_secret(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
) -> Result<Tagged<Subscription>> {
    let secret = fresh_secret();
    match app
        .store
        .rotate_secret(id.0, now(), &secret, &caller.0)
        .await?
    {
        Changed::Done(subscription) => Ok(Tagged {
            etag: etag::tag(subscription.id, subscription.revision),
            body: Subscription {
                secret: secret.expose_secret().to_owned(),
                ..Subscription::from(*subscription)
            },
        }),
        other => Err(refused(&other, id.0)),
    }
}
