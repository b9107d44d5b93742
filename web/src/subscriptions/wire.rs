//! Subscriptions and deliveries as clients send and see them.

use salvo::oapi::ToSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use stepwell_queue::{delivery, subscription};
use uuid::Uuid;

use crate::agents::wire::MASK;
use crate::example::Example;
use crate::moment::Moment;

/// A subscription to be: what POST and PUT take.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[salvo(schema(name = "SubscriptionInput"))]
pub struct SubscriptionInput {
    /// For people.
    #[serde(default)]
    #[salvo(schema(max_length = 100))]
    pub name: Option<String>,
    /// Where events are sent: http or https.
    #[salvo(schema(max_length = 2048))]
    pub url: String,
    /// Types such as `stepwell.run.completed`, or `stepwell.run.*` for all below it, or `*`.
    #[salvo(schema(min_items = 1, max_items = 100))]
    pub event_types: Vec<String>,
    /// The slug or id of a workflow, whose runs alone it hears of; null: of everything.
    #[serde(default)]
    #[salvo(schema(max_length = 255))]
    pub workflow: Option<String>,
    /// `whsec_` and the base64 of 24 to 64 random bytes. With POST, absent: one is made. With PUT,
    /// absent or `"•••"`: the one that is kept.
    #[serde(default)]
    pub secret: Option<String>,
    /// `active` (the default) or `disabled`.
    #[serde(default = "active")]
    #[salvo(schema(default = "active"))]
    pub status: String,
}

fn active() -> String {
    "active".into()
}

impl Example for SubscriptionInput {
    fn example() -> Value {
        json!({
            "name": "billing", "url": "https://billing.example/hooks/stepwell",
            "event_types": ["stepwell.run.completed", "stepwell.run.failed"], "workflow": "order",
        })
    }
}

/// Who hears of what happens.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Subscription"))]
pub struct Subscription {
    pub id: Uuid,
    pub name: Option<String>,
    pub url: String,
    pub event_types: Vec<String>,
    pub workflow: Option<String>,
    /// Shown once, when it was made here or given; after that `"•••"`.
    pub secret: String,
    /// Until when the secret before signs too; null when none does.
    pub old_secret_until: Option<Moment>,
    /// `active` or `disabled`.
    pub status: String,
    /// Why it was disabled, unless a client did it.
    pub disabled_reason: Option<String>,
    pub created_at: Moment,
    pub updated_at: Moment,
}

impl From<subscription::Subscription> for Subscription {
    fn from(subscription: subscription::Subscription) -> Self {
        Self {
            id: subscription.id,
            name: subscription.name,
            url: subscription.url,
            event_types: subscription.event_types,
            workflow: subscription.workflow,
            secret: MASK.into(),
            old_secret_until: subscription.old_secret_until.map(Moment::from),
            status: subscription.status,
            disabled_reason: subscription.disabled_reason,
            created_at: subscription.created_at.into(),
            updated_at: subscription.updated_at.into(),
        }
    }
}

impl Example for Subscription {
    fn example() -> Value {
        json!({
            "id": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41", "name": "billing",
            "url": "https://billing.example/hooks/stepwell",
            "event_types": ["stepwell.run.completed", "stepwell.run.failed"], "workflow": "order",
            "secret": MASK, "old_secret_until": null, "status": "active", "disabled_reason": null,
            "created_at": "2026-03-01T12:00:00.000Z", "updated_at": "2026-03-01T12:00:00.000Z",
        })
    }
}

/// One event on its way to one subscriber.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[salvo(schema(name = "Delivery"))]
pub struct Delivery {
    pub id: Uuid,
    /// The event's `id`, which is its `webhook-id` too.
    pub event_id: Uuid,
    pub event_type: String,
    /// What the event is about: the id of a run, of an agent …
    pub subject: Option<String>,
    pub event_at: Moment,
    /// `pending`, `delivered` or `failed`.
    pub status: String,
    /// Those made, with the one in flight.
    pub attempts: i32,
    pub last_attempt_at: Option<Moment>,
    /// Of a pending one; while an attempt is made, when it is given up.
    pub next_attempt_at: Option<Moment>,
    /// The last attempt is not made after this time.
    pub expires_at: Moment,
    pub finished_at: Option<Moment>,
    /// What the last attempt was answered; null when it was not.
    pub response_status: Option<i32>,
    pub duration_ms: Option<i64>,
    /// What was wrong with the last attempt.
    pub error: Option<String>,
    pub created_at: Moment,
}

impl From<delivery::Listed> for Delivery {
    fn from(delivery: delivery::Listed) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            event_type: delivery.event_type,
            subject: delivery.subject,
            event_at: delivery.event_at.into(),
            status: delivery.status,
            attempts: delivery.attempts,
            last_attempt_at: delivery.attempted_at.map(Moment::from),
            next_attempt_at: delivery.next_at.map(Moment::from),
            expires_at: delivery.expires_at.into(),
            finished_at: delivery.finished_at.map(Moment::from),
            response_status: delivery.response_status,
            duration_ms: delivery.duration_ms,
            error: delivery.error,
            created_at: delivery.created_at.into(),
        }
    }
}

impl Example for Delivery {
    fn example() -> Value {
        json!({
            "id": "0199b6d5-02bb-7c11-a3d7-6f0e8c1d2b45",
            "event_id": "0199b6d4-77aa-7c02-9d7e-5a0e7c1f2b34",
            "event_type": "stepwell.run.completed",
            "subject": "0199b6d2-3c1f-7a52-8f2e-1d7f5c0e9a41",
            "event_at": "2026-03-01T12:00:02.049Z", "status": "pending", "attempts": 1,
            "last_attempt_at": "2026-03-01T12:00:02.300Z",
            "next_attempt_at": "2026-03-01T12:00:07.800Z",
            "expires_at": "2026-03-02T12:00:02.250Z", "finished_at": null,
            "response_status": 503, "duration_ms": 41, "error": "the receiver answered 503: busy",
            "created_at": "2026-03-01T12:00:02.250Z",
        })
    }
}
