//! POST `/api/v1/keys`.

use chrono::DateTime;
use salvo::Writer;
use salvo::oapi::endpoint;
use secrecy::ExposeSecret as _;
use stepwell_queue::key::{self, Changed, NAME_CHARS_MAX, Role};
use stepwell_workflow::Time;

use super::wire::{KeyInput, NewKey};
use crate::App;
use crate::actor::Caller;
use crate::answer::{Created, Result};
use crate::body::Body;
use crate::clock::{self, now};
use crate::etag;
use crate::idempotency::IdempotencyKey;
use crate::problem::{Fault, Faults, Kind, Problem};
use crate::query::{Nothing, Query};

/// Makes a key.
///
/// The answer holds the key itself, once: only its hash is kept.
#[endpoint(
    operation_id = "create_key",
    responses((status_code = 409, description = "Another key that is not revoked has this name.", body = Problem, content_type = "application/problem+json"))
)]
pub async fn create_key(
    app: App,
    caller: Caller,
    _query: Query<Nothing>,
    body: Body<KeyInput>,
    idempotency: IdempotencyKey,
) -> Result<Created<NewKey>> {
    let at = now();
    let (role, expires_at) = check(&body.0, at)?;
    let new = key::NewKey {
        id: clock::id(),
        name: body.0.name,
        role,
        text: key::fresh(),
        created_at: at,
        expires_at,
    };
    let location = format!("/api/v1/keys/{}", new.id);
    let kept = NewKey::of(new.key(&caller.0).into(), None);
    let idempotency = idempotency.with(201, Some(location.clone()), &kept)?;
    match app
        .store
        .create_key(&new, &caller.0, idempotency.as_ref())
        .await?
    {
        Changed::Done(key) => Ok(Created::Now {
            etag: etag::tag(key.id, key.revision),
            body: NewKey::of((*key).into(), Some(new.text.expose_secret().to_owned())),
            location,
        }),
        Changed::Replayed(answer) => Ok(Created::Before(answer)),
        Changed::KeyReused => Err(IdempotencyKey::reused()),
        Changed::NameTaken => Err(Problem::new(
            Kind::NameTaken,
            "Another key has this name. Revoke that one first, or choose another name.",
        )
        .with_errors(vec![Fault::at("/name", "is the name of another key")])),
        Changed::NotFound => Err(Problem::internal("a key that is made was not found")),
    }
}

fn check(input: &KeyInput, now: Time) -> Result<(Role, Option<Time>)> {
    let mut faults = Faults::new();
    if !key::is_name(&input.name) {
        faults.push(Fault::at(
            "/name",
            format!(
                "must be 1 to {NAME_CHARS_MAX} letters, digits, dots, dashes, underscores or @"
            ),
        ));
    }
    let role = Role::from_word(&input.role);
    if role.is_none() {
        faults.push(Fault::at("/role", "must be viewer, operator or admin"));
    }
    let expires_at = match input
        .expires_at
        .as_deref()
        .map(DateTime::parse_from_rfc3339)
    {
        None => None,
        Some(Ok(time)) if time.to_utc() > now => Some(time.to_utc()),
        Some(Ok(_)) => {
            faults.push(Fault::at("/expires_at", "must be in the future"));
            None
        }
        Some(Err(_)) => {
            faults.push(Fault::at(
                "/expires_at",
                "must be an RFC 3339 time such as 2027-03-01T12:00:00Z",
            ));
            None
        }
    };
    match role {
        Some(role) if faults.is_empty() => Ok((role, expires_at)),
        _ => Err(Problem::invalid(faults)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::*;

    #[test]
    fn every_broken_rule_is_told() {
        let input = |name: &str, role: &str, expires_at: Option<&str>| KeyInput {
            name: name.into(),
            role: role.into(),
            expires_at: expires_at.map(str::to_owned),
        };
        let at = now();
        assert!(check(&input("ci", "admin", None), at).is_ok());
        assert!(check(&input("ci", "admin", Some("2999-01-01T00:00:00Z")), at).is_ok());
        let worst = input("a b", "root", Some("yesterday"));
        let problem = check(&worst, at).unwrap_err();
        assert_eq!(problem.kind(), Kind::Invalid);
        for odd in ["2000-01-01T00:00:00Z", "2999-01-01", ""] {
            assert!(
                check(&input("ci", "admin", Some(odd)), at).is_err(),
                "{odd}"
            );
        }
    }
}
