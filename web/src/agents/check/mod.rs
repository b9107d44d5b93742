//! The rules for an agent; every broken one is listed.

mod credentials;
mod retry;

use stepwell_queue::agent::NewAgent;
use url::Url;
use uuid::Uuid;

pub(crate) use credentials::NO_MASTER_KEY;

use super::wire::AgentInput;
use crate::problem::{Fault, Faults, Problem};

/// Characters of a name: it stands in lists and log lines.
const NAME_CHARS_MAX: usize = 100;
/// Characters of a URL: what servers and proxies commonly take.
const URL_CHARS_MAX: usize = 2_048;
/// Characters of a description.
const DESCRIPTION_CHARS_MAX: usize = 4_000;
/// The longest attempt: one day. What takes longer answers 202 and calls back.
const TIMEOUT_MS_MAX: i64 = 86_400_000;
/// Attempts in flight to one agent.
const CONCURRENCY_MAX: i64 = 100_000;

/// Turns an input into an agent that keeps every rule.
///
/// # Errors
/// 422 that lists each broken rule. `keeps_secrets`: whether there is a master key; `replaces`:
/// whether credentials may be left out, because there may be some already.
pub fn check(input: AgentInput, keeps_secrets: bool, replaces: bool) -> Result<NewAgent, Problem> {
    let mut faults = Faults::new();
    let mut fault = |pointer: &str, detail: String| faults.push(Fault::at(pointer, detail));
    if let Some(detail) = name_fault(&input.name) {
        fault("/name", detail);
    }
    if let Some(detail) = url_fault(&input.url, USE_AUTH_TYPE) {
        fault("/url", detail);
    }
    if input
        .health_path
        .as_deref()
        .is_some_and(|path| !is_path(path))
    {
        fault(
            "/health_path",
            format!(
                "must begin with one / and have up to {URL_CHARS_MAX} characters, no spaces and no \\"
            ),
        );
    }
    if input
        .description
        .as_ref()
        .is_some_and(|text| text.chars().count() > DESCRIPTION_CHARS_MAX)
    {
        fault(
            "/description",
            format!("may have up to {DESCRIPTION_CHARS_MAX} characters"),
        );
    }
    if !(1..=TIMEOUT_MS_MAX).contains(&input.timeout_ms) {
        fault("/timeout_ms", format!("must be from 1 to {TIMEOUT_MS_MAX}"));
    }
    if input
        .max_concurrency
        .is_some_and(|n| !(1..=CONCURRENCY_MAX).contains(&n))
    {
        fault(
            "/max_concurrency",
            format!("must be from 1 to {CONCURRENCY_MAX}, or null"),
        );
    }
    let status = match input.status.as_str() {
        "active" => "active",
        "inactive" => "inactive",
        _ => {
            fault("/status", "must be active or inactive".into());
            ""
        }
    };
    retry::check(&input.retry_config, &mut faults);
    let credentials = credentials::check(&input, keeps_secrets, replaces, &mut faults);
    match credentials {
        Some(credentials) if faults.is_empty() => Ok(NewAgent {
            name: input.name,
            url: input.url,
            health_path: input.health_path,
            description: input.description,
            credentials,
            timeout_ms: input.timeout_ms,
            retry_config: input.retry_config.into(),
            max_concurrency: input.max_concurrency.and_then(|n| i32::try_from(n).ok()),
            cancel: input.cancel,
            status,
        }),
        _ => Err(Problem::invalid(faults)),
    }
}

/// Says whether a text can be a path on the agent's host, with a query or without. What browsers and URL parsers take
/// for a slash or pass over would lead to another host.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= URL_CHARS_MAX
        && !text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control())
}

pub(crate) fn name_fault(name: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || " ._-".contains(c));
    if !fits {
        return Some(format!(
            "must be 1 to {NAME_CHARS_MAX} letters, digits, spaces, dots, underscores and hyphens, \
             and begin and end with a letter or digit"
        ));
    }
    Uuid::try_parse(name)
        .ok()
        .map(|_| "must not look like an id".into())
}

/// What to do instead of putting an agent's credentials into its URL.
const USE_AUTH_TYPE: &str = "use auth_type basic";

/// What to do instead of putting credentials into a URL that events are delivered to.
pub(crate) const VERIFY_THE_SIGNATURE: &str =
    "deliveries are signed, so that their receiver knows who sends them";

/// Says what is wrong with a URL that is to be called; `instead` of credentials in it.
pub(crate) fn url_fault(text: &str, instead: &str) -> Option<String> {
    if text.chars().count() > URL_CHARS_MAX {
        return Some(format!("may have up to {URL_CHARS_MAX} characters"));
    }
    let url = match Url::parse(text) {
        Ok(url) => url,
        Err(error) => return Some(format!("is not a URL: {error}")),
    };
    if !matches!(url.scheme(), "http" | "https") {
        return Some("must begin with http:// or https://".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Some(format!("must not hold credentials; {instead}"));
    }
    url.fragment()
        .is_some()
        .then(|| "must not have a fragment".into())
}

#[cfg(test)]
mod tests;
