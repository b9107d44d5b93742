//! The rules for a subscription; every broken one is listed.

use stepwell_queue::subscription::{
    NewSecret, NewSubscription, fresh_secret, pattern_fault, secret_fault,
};

use super::wire::SubscriptionInput;
use crate::agents::check::{NO_MASTER_KEY, VERIFY_THE_SIGNATURE, url_fault};
use crate::agents::wire::MASK;
use crate::problem::{Fault, Faults, Problem};

/// Characters of a name: it stands in lists and log lines.
const NAME_CHARS_MAX: usize = 100;
/// Patterns of one subscription: each is held against every event.
const EVENT_TYPES_MAX: usize = 100;
/// Characters of what names a workflow: a slug or an id.
const WORKFLOW_CHARS_MAX: usize = 255;

/// Turns an input into a subscription that keeps every rule.
///
/// # Errors
/// 422 that lists each broken rule. `keeps_secrets`: whether there is a master key; `replaces`:
/// whether a secret that is left out is the one that is kept.
pub fn check(
    input: SubscriptionInput,
    keeps_secrets: bool,
    replaces: bool,
) -> Result<NewSubscription, Problem> {
    let mut faults = Faults::new();
    let mut fault = |pointer: &str, detail: String| faults.push(Fault::at(pointer, detail));
    let fits = |text: &str, most: usize| {
        (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
    };
    if input
        .name
        .as_ref()
        .is_some_and(|name| !fits(name, NAME_CHARS_MAX))
    {
        fault(
            "/name",
            format!(
                "must have 1 to {NAME_CHARS_MAX} characters without control characters, or be null"
            ),
        );
    }
    if let Some(detail) = url_fault(&input.url, VERIFY_THE_SIGNATURE) {
        fault("/url", detail);
    }
    if !(1..=EVENT_TYPES_MAX).contains(&input.event_types.len()) {
        fault(
            "/event_types",
            format!("must have 1 to {EVENT_TYPES_MAX} entries"),
        );
    }
    for (index, pattern) in input.event_types.iter().enumerate().take(EVENT_TYPES_MAX) {
        if let Some(detail) = pattern_fault(pattern) {
            fault(&format!("/event_types/{index}"), detail);
        }
    }
    if input
        .workflow
        .as_ref()
        .is_some_and(|slug| !fits(slug, WORKFLOW_CHARS_MAX))
    {
        fault(
            "/workflow",
            format!(
                "must be the slug or id of a workflow, with up to {WORKFLOW_CHARS_MAX} characters, or null"
            ),
        );
    }
    let secret = match input.secret {
        None if replaces => NewSecret::Keep,
        Some(text) if replaces && text == MASK => NewSecret::Keep,
        None => NewSecret::Set(fresh_secret()),
        Some(text) => {
            if let Some(detail) = secret_fault(&text) {
                fault("/secret", detail);
            }
            NewSecret::Set(text.into())
        }
    };
    if !keeps_secrets {
        fault("/secret", NO_MASTER_KEY.into());
    }
    let active = match input.status.as_str() {
        "active" => true,
        "disabled" => false,
        _ => {
            fault("/status", "must be active or disabled".into());
            false
        }
    };
    if !faults.is_empty() {
        return Err(Problem::invalid(faults));
    }
    Ok(NewSubscription {
        name: input.name,
        url: input.url,
        event_types: input.event_types,
        workflow: input.workflow,
        secret,
        active,
    })
}
