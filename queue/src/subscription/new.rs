//! A subscription as clients ask for it.

use stepwell_workflow::Time;
use uuid::Uuid;

use super::{NewSecret, Subscription};

/// What clients decide about a subscription; checked by the caller.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    pub name: Option<String>,
    pub url: String,
    pub event_types: Vec<String>,
    pub workflow: Option<String>,
    pub secret: NewSecret,
    pub active: bool,
}

impl Subscription {
    /// Returns the subscription as it will be kept.
    #[must_use]
    pub fn fresh(id: Uuid, at: Time, new: &NewSubscription) -> Self {
        Self {
            id,
            name: new.name.clone(),
            url: new.url.clone(),
            event_types: new.event_types.clone(),
            workflow: new.workflow.clone(),
            status: if new.active { "active" } else { "disabled" }.to_owned(),
            disabled_reason: None,
            old_secret_until: None,
            revision: 1,
            sequence: 1,
            created_at: at,
            updated_at: at,
        }
    }
}
