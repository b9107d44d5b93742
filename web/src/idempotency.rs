//! `Idempotency-Key`: a request that is sent again gets the first answer again, and does nothing.

use std::sync::Arc;

use salvo::oapi::{BasicType, Components, Object, Operation, ParameterIn};
use salvo::{Depot, Request};
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use stepwell_queue::new_run::{Answer, Idempotency};

use crate::actor::Caller;
use crate::body;
use crate::extract::{Take, extractor};
use crate::limits::IDEMPOTENCY_KEY_CHARS_MAX;
use crate::openapi::optional;
use crate::problem::{self, Fault, Kind, Problem};

/// The key of the request in work, if it carries one.
#[derive(Clone, Debug)]
pub struct IdempotencyKey(pub Option<Key>);

/// A key with what it stands for.
#[derive(Clone, Debug)]
pub struct Key {
    scope: String,
    key: String,
    fingerprint: Vec<u8>,
}

impl IdempotencyKey {
    /// Reads a key. `scope`: who asks, and what for; `request`: what the key stands for.
    ///
    /// # Errors
    /// 400 for a key that cannot be used.
    pub(crate) fn of(value: &[u8], scope: String, request: &[u8]) -> Result<Self, Problem> {
        Ok(Self(Some(Key {
            scope,
            key: read(value)?,
            fingerprint: fingerprint("", request),
        })))
    }

    /// Joins the key to the answer that is to be given again; `None` without a key.
    ///
    /// # Errors
    /// When the answer cannot be written as JSON.
    pub fn with(
        &self,
        status: u16,
        location: Option<String>,
        body: &impl serde::Serialize,
    ) -> Result<Option<Idempotency>, Problem> {
        let Some(key) = &self.0 else { return Ok(None) };
        let body = serde_json::value::to_raw_value(body).map_err(Problem::internal)?;
        Ok(Some(Idempotency {
            scope: key.scope.clone(),
            key: key.key.clone(),
            fingerprint: key.fingerprint.clone(),
            answer: Answer {
                status,
                location,
                body: Arc::<RawValue>::from(body),
            },
        }))
    }

    /// The problem of a key that was used before with another request.
    #[must_use]
    pub fn reused() -> Problem {
        Problem::new(
            Kind::KeyReused,
            "This Idempotency-Key was used before with another body or path. Use a fresh key.",
        )
    }
}

impl Take for IdempotencyKey {
    async fn take(req: &mut Request, depot: &mut Depot, arg: &str) -> Result<Self, Problem> {
        let Some(value) = req.headers().get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = read(value.as_bytes())?;
        let principal = Caller::take(req, depot, arg).await?.0.name;
        let scope = format!("{principal} {} /{}", req.method(), req.matched_path());
        let path = req
            .uri()
            .path_and_query()
            .map_or("", |path| path.as_str())
            .to_owned();
        let bytes = body::read(req).await?;
        Ok(Self(Some(Key {
            scope,
            key,
            fingerprint: fingerprint(&path, &bytes),
        })))
    }

    fn describe(components: &mut Components, operation: &mut Operation, _arg: &str) {
        let schema = Object::with_type(BasicType::String)
            .min_length(1)
            .max_length(IDEMPOTENCY_KEY_CHARS_MAX)
            .pattern("^[!-~]+$");
        let parameter = optional(
            "Idempotency-Key",
            ParameterIn::Header,
            "Visible ASCII, kept for 24 hours. The same key and request give the first answer \
             again, with `Idempotency-Replayed: true`; another request with it is 422.",
            schema,
            "order-4711",
        );
        operation.parameters.insert(parameter);
        problem::describe(
            components,
            operation,
            &[Kind::InvalidParameter, Kind::KeyReused],
        );
    }
}
extractor!(IdempotencyKey);

fn read(value: &[u8]) -> Result<String, Problem> {
    let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&value.len())
        && value.iter().all(u8::is_ascii_graphic);
    if !fits {
        return Err(Problem::parameters(vec![Fault::parameter(
            "Idempotency-Key",
            format!(
                "Idempotency-Key must be 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible ASCII characters"
            ),
        )]));
    }
    Ok(String::from_utf8_lossy(value).into_owned())
}

/// SHA-256 of the path and the body. White space and the order of keys do not matter.
fn fingerprint(path: &str, bytes: &[u8]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(path.as_bytes());
    hash.update([0]);
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => hash.update(sorted(value).to_string().as_bytes()),
        Err(_) => hash.update(bytes),
    }
    hash.finalize().to_vec()
}

// Explicit, because whether a JSON map sorts its keys depends on a feature that any crate may turn on.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.into_iter().collect();
            fields.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(
                fields
                    .into_iter()
                    .map(|(key, field)| (key, sorted(field)))
                    .collect(),
            )
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn the_fingerprint_is_of_the_meaning() {
        let a = fingerprint("/a", br#"{"x": 1, "y": {"b": 2, "a": 1}}"#);
        assert_eq!(a, fingerprint("/a", br#"{"y":{"a":1,"b":2},"x":1}"#));
        assert_ne!(a, fingerprint("/b", br#"{"y":{"a":1,"b":2},"x":1}"#));
        assert_ne!(a, fingerprint("/a", br#"{"y":{"a":1,"b":2},"x":2}"#));
    }
}
