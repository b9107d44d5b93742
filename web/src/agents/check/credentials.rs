//! The rules for credentials, by the kind of authentication.

use secrecy::SecretString;
use serde_json::{Map, Value};
use stepwell_queue::agent::{Auth, Credentials};
use stepwell_workflow::headers::may_hold_credentials;

use crate::agents::wire::{AgentInput, MASK};
use crate::problem::{Fault, Faults};

/// Characters of one credential: larger than any token in use.
const SECRET_CHARS_MAX: usize = 16_384;
const API_KEY_HEADER: &str = "X-API-Key";
/// What a client hears that sends credentials to a server without a master key.
pub(crate) const NO_MASTER_KEY: &str = "credentials are stored encrypted, and this \
    server has no master key; point STEPWELL_MASTER_KEY_FILE at a file with 32 bytes in base64 \
    (openssl rand -base64 32) and start it again";

/// Reads the credentials, and notes each broken rule.
pub(super) fn check(
    input: &AgentInput,
    keeps_secrets: bool,
    replaces: bool,
    faults: &mut Faults,
) -> Option<Credentials> {
    let kind = match input.auth_type.as_str() {
        "none" => "none",
        "bearer" => "bearer",
        "api_key" => "api_key",
        "basic" => "basic",
        _ => {
            faults.push(Fault::at(
                "/auth_type",
                "must be none, bearer, api_key or basic",
            ));
            return None;
        }
    };
    if kind == "none" {
        if input
            .auth_config
            .as_ref()
            .is_some_and(|config| !config.is_null())
        {
            faults.push(Fault::at(
                "/auth_config",
                "must be left out when auth_type is none",
            ));
        }
        return Some(Credentials::Set(Auth::None));
    }
    if !keeps_secrets {
        faults.push(Fault::at("/auth_type", NO_MASTER_KEY));
    }
    match &input.auth_config {
        None | Some(Value::Null) if replaces => Some(Credentials::Keep(kind)),
        Some(Value::String(text)) if text == MASK && replaces => Some(Credentials::Keep(kind)),
        Some(Value::Object(fields)) => auth(kind, fields, faults).map(Credentials::Set),
        _ => {
            faults.push(Fault::at(
                "/auth_config",
                format!("must be {}", shape(kind)),
            ));
            None
        }
    }
}

fn shape(kind: &str) -> &'static str {
    match kind {
        "bearer" => "{\"token\": …}",
        "api_key" => "{\"key\": …, \"header\": … (X-API-Key)}",
        _ => "{\"username\": …, \"password\": …}",
    }
}

fn auth(kind: &str, fields: &Map<String, Value>, faults: &mut Faults) -> Option<Auth> {
    let known: &[&str] = match kind {
        "bearer" => &["token"],
        "api_key" => &["key", "header"],
        _ => &["username", "password"],
    };
    let before = faults.len();
    for field in fields
        .keys()
        .filter(|field| !known.contains(&field.as_str()))
    {
        faults.push(Fault::at(
            format!("/auth_config/{}", crate::body::escape(field)),
            format!(
                "is not a field of {kind}; auth_config must be {}",
                shape(kind)
            ),
        ));
    }
    let mut text = |field: &str, default: Option<&str>| match fields.get(field) {
        None if default.is_some() => default.map(str::to_owned),
        Some(Value::String(text))
            if (1..=SECRET_CHARS_MAX).contains(&text.len())
                && !text.chars().any(char::is_control) =>
        {
            Some(text.clone())
        }
        _ => {
            faults.push(Fault::at(
                format!("/auth_config/{field}"),
                format!("must be 1 to {SECRET_CHARS_MAX} bytes of text without control characters"),
            ));
            None
        }
    };
    let auth = match kind {
        "bearer" => text("token", None).map(|token| Auth::Bearer(token.into())),
        "api_key" => {
            let (key, header) = (text("key", None), text("header", Some(API_KEY_HEADER)));
            if header
                .as_ref()
                .is_some_and(|name| http::HeaderName::from_bytes(name.as_bytes()).is_err())
            {
                faults.push(Fault::at(
                    "/auth_config/header",
                    "must be the name of an HTTP header",
                ));
            } else if header
                .as_ref()
                .is_some_and(|name| !may_hold_credentials(name))
            {
                faults.push(Fault::at(
                    "/auth_config/header",
                    "must not be a header that follows from the request or tells which call it is",
                ));
            }
            key.zip(header).map(|(key, header)| Auth::ApiKey {
                header,
                key: SecretString::from(key),
            })
        }
        _ => {
            let (username, password) = (text("username", None), text("password", None));
            username
                .zip(password)
                .map(|(username, password)| Auth::Basic {
                    username,
                    password: password.into(),
                })
        }
    };
    auth.filter(|_| faults.len() == before)
}
