//! Subscriptions: who hears of what happens. [`crate::outbox`] finds out what that is,
//! [`crate::delivery`] keeps account of what is on its way.

mod change;
mod disable;
mod new;
mod read;
mod secret;
mod topic;

use stepwell_workflow::Time;
use uuid::Uuid;

pub(crate) use disable::{disable, note};
pub use new::NewSubscription;
pub use read::SubscriptionFilter;
pub(crate) use secret::open;
pub use secret::{NewSecret, fresh_secret, secret_fault};
pub use topic::{matches, pattern_fault};

use crate::Revision;
use crate::new_run::Answer;

/// The entity type of audit records and hints.
pub(crate) const ENTITY: &str = "subscription";

/// Subscriptions in all: each is held against every event.
pub const SUBSCRIPTIONS_MAX: i64 = 1_000;

/// A subscription as it is kept. Its secret stays encrypted.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: Uuid,
    pub name: Option<String>,
    pub url: String,
    /// Exact, or ending in `.*`, or `*`.
    pub event_types: Vec<String>,
    /// The slug of the workflow whose runs it hears of; `None`: of everything.
    pub workflow: Option<String>,
    /// `active` or `disabled`.
    pub status: String,
    pub disabled_reason: Option<String>,
    /// Until when the secret before the present one signs too.
    pub old_secret_until: Option<Time>,
    /// 1, 2, 3 …: the number of its changes.
    pub revision: i64,
    /// Of its last audit record.
    pub(crate) sequence: i64,
    pub created_at: Time,
    pub updated_at: Time,
}

/// What came of a change to a subscription.
#[derive(Debug)]
pub enum Changed {
    /// Done, audited and committed.
    Done(Box<Subscription>),
    /// The idempotency key was used before, with the same request: the first answer.
    Replayed(Answer),
    /// The idempotency key was used before, with another request.
    KeyReused,
    NotFound,
    /// The subscription is not at one of the expected revisions.
    Stale {
        revision: Revision,
    },
    /// There is no master key to encrypt the secret with.
    NoMasterKey,
    /// There are [`SUBSCRIPTIONS_MAX`] already.
    TooMany,
}
