//! Deliveries: events on their way to those who hear of them.
//!
//! Whoever sends takes due ones under a lease ([`claim`]): the row's `next_at` moves on by so much,
//! so what a dead process held is due again by itself. What came of an attempt goes back through
//! [`settle`]; [`again`] says when the next is. Deliveries to one receiver stand in one lane, and of each
//! lane only a few are taken at once: one that hangs delays nobody else.

mod again;
mod claim;
mod purge;
mod read;
mod request;
mod settle;

use secrecy::SecretString;
use serde_json::value::RawValue;
use stepwell_workflow::Time;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

pub use claim::Room;
pub use read::{DeliveryFilter, Listed};
pub use request::Asked;
pub(crate) use request::interval;
pub use settle::Verdict;

use crate::listen::Hint;
use crate::{Store, subscription};

/// The entity of hints that say that there is something to send.
pub(crate) const ENTITY: &str = "delivery";

/// How long an event is tried: the span that receivers have to be mended in.
pub const TRIED_FOR: chrono::TimeDelta = chrono::TimeDelta::hours(24);
/// How long a sender has a delivery to itself. Longer than [`ATTEMPT_MAX`] and the statement that
/// tells of its end; short, because what a dead sender held waits as long.
pub const LEASE: std::time::Duration = std::time::Duration::from_secs(20);
/// How long a receiver may take to answer.
pub const ATTEMPT_MAX: std::time::Duration = std::time::Duration::from_secs(15);

/// An event as it was when it happened.
#[derive(Clone, Debug)]
pub struct Event {
    /// The same in every attempt, and for every receiver.
    pub id: Uuid,
    /// `stepwell.run.completed`, or what an `emit` step says.
    pub kind: String,
    pub source: String,
    pub subject: Option<String>,
    pub at: Time,
    pub data: Box<RawValue>,
    pub traceparent: Option<String>,
}

/// A delivery that is this process's for [`LEASE`].
#[derive(Clone, Debug)]
pub struct Claimed {
    pub id: Uuid,
    pub lane: Uuid,
    /// `None`: a callback.
    pub subscription_id: Option<Uuid>,
    pub url: String,
    /// Attempts of which it is known what they came to.
    pub attempts: i32,
    /// Names this claim: who comes back after its lease, when another sender has it, changes nothing.
    pub(crate) lease: i32,
    /// The last attempt is not before this time.
    pub expires_at: Time,
    pub event: Event,
    /// The secret, and the one before while it still signs.
    pub secrets: Vec<SecretString>,
}

/// Says when there may be something to send.
#[derive(Debug)]
pub struct Due(broadcast::Receiver<Hint>);

impl Due {
    /// Waits for a hint; it may be lost, so ask now and then all the same.
    pub async fn wait(&mut self) {
        loop {
            match self.0.recv().await {
                Ok(Hint::Changed { entity, .. })
                    if entity == ENTITY || entity == subscription::ENTITY =>
                {
                    return;
                }
                Ok(Hint::Lagged) | Err(RecvError::Lagged(_)) => return,
                Ok(_) => {}
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

impl Store {
    /// Subscribes to hints that deliveries are due.
    #[must_use]
    pub fn deliveries_due(&self) -> Due {
        Due(self.hints())
    }

    /// Says to every process that there is something to send. Call it after the commit.
    pub(crate) fn announce_deliveries(&self, any: Uuid) {
        self.announce_changed(ENTITY, any);
    }
}
