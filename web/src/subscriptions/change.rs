//! PUT and DELETE `/api/v1/subscriptions/{id}`.

use salvo::Writer;
use salvo::oapi::endpoint;
use stepwell_queue::subscription::Changed;

use super::wire::{Subscription, SubscriptionInput};
use super::{check, refused};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Gone, Result, Tagged};
use crate::body::Body;
use crate::clock::now;
use crate::etag::{self, IfMatch};
use crate::path::Id;
use crate::query::{Nothing, Query};

/// Replaces a subscription.
///
/// Fields that are left out get their defaults, except the secret, which is kept. After another
/// secret, events are signed with both for 24 hours. One that was disabled is active again with
/// `"status": "active"`.
#[endpoint(operation_id = "replace_subscription")]
pub async fn replace_subscription(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
    if_match: IfMatch,
    body: Body<SubscriptionInput>,
) -> Result<Tagged<Subscription>> {
    let new = check::check(body.0, app.store.keeps_secrets(), true)?;
    let changed = app
        .store
        .replace_subscription(id.0, now(), &new, if_match.revisions(), &caller.0)
        .await?;
    match changed {
        Changed::Done(subscription) => Ok(Tagged {
            etag: etag::tag(subscription.id, subscription.revision),
            body: Subscription::from(*subscription),
        }),
        other => Err(refused(&other, id.0)),
    }
}

/// Deletes a subscription, with what is on its way to it.
#[endpoint(operation_id = "delete_subscription")]
pub async fn delete_subscription(
    app: App,
    caller: Caller,
    id: Id,
    _query: Query<Nothing>,
    if_match: IfMatch,
) -> Result<Gone> {
    match app
        .store
        .delete_subscription(id.0, if_match.revisions(), &caller.0)
        .await?
    {
        Changed::Done(_) => Ok(Gone),
        other => Err(refused(&other, id.0)),
    }
}
