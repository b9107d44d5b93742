//! What a request presents: a key or a token, in one of two headers.

use http::HeaderMap;
use http::header::AUTHORIZATION;
use secrecy::SecretString;
use stepwell_queue::key;

use super::Refusal;

const KEY_HEADER: &str = "x-api-key";
/// Characters of a credential: tokens with many claims stay below.
const CHARS_MAX: usize = 16_384;

/// A credential that was not looked at yet.
#[derive(Debug)]
pub(super) enum Presented {
    Key(SecretString),
    Token(SecretString),
}

/// Takes the credential out of the headers (or, over gRPC, the metadata).
///
/// # Errors
/// [`Refusal::Missing`] without one, [`Refusal::Wrong`] when it is not clear which one is meant.
pub(super) fn read(headers: &HeaderMap) -> Result<Presented, Refusal> {
    let mut keys = headers.get_all(KEY_HEADER).iter();
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let (key, authorization) = (keys.next(), authorizations.next());
    if keys.next().is_some() || authorizations.next().is_some() {
        return Err(wrong("send one credential, not several"));
    }
    let text = match (key, authorization) {
        (None, None) => return Err(Refusal::Missing),
        (Some(_), Some(_)) => {
            return Err(wrong(
                "send X-API-Key or Authorization, not both: it is not clear who asks",
            ));
        }
        (Some(key), None) => key.to_str().ok(),
        (None, Some(authorization)) => match authorization.to_str().ok().and_then(bearer) {
            Some(text) => Some(text),
            None => return Err(wrong("send Authorization: Bearer <key or token>")),
        },
    };
    let text = text
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.len() <= CHARS_MAX)
        .ok_or_else(|| wrong("it is empty, too long, or not plain ASCII"))?;
    // Where a key is expected, everything is one; a Bearer may be either.
    if key.is_some() || text.starts_with(key::PREFIX) {
        Ok(Presented::Key(text.into()))
    } else {
        Ok(Presented::Token(text.into()))
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, rest) = value.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| rest.trim())
}

fn wrong(why: &str) -> Refusal {
    Refusal::Wrong(format!("The credentials cannot be read: {why}."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::{Presented, read};
    use crate::auth::Refusal;
    use http::{HeaderMap, HeaderName, HeaderValue};

    fn of(headers: &[(&'static str, &str)]) -> Result<Presented, Refusal> {
        let headers = headers.iter().map(|(name, value)| {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            (HeaderName::from_static(name), value)
        });
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        read(&map)
    }

    #[test]
    fn keys_and_tokens_are_told_apart() {
        let bearer = |text: &str| of(&[("authorization", text)]);
        assert!(matches!(
            of(&[("x-api-key", "swk_a")]),
            Ok(Presented::Key(_))
        ));
        assert!(matches!(
            of(&[("x-api-key", "a.b.c")]),
            Ok(Presented::Key(_))
        ));
        assert!(matches!(bearer("Bearer swk_a"), Ok(Presented::Key(_))));
        assert!(matches!(bearer("bearer  a.b.c"), Ok(Presented::Token(_))));
        assert!(matches!(of(&[]), Err(Refusal::Missing)));
    }

    #[test]
    fn what_is_not_clear_is_refused() {
        for headers in [
            vec![("x-api-key", "a"), ("x-api-key", "b")],
            vec![("x-api-key", "a"), ("authorization", "Bearer b")],
            vec![("authorization", "Basic YTpi")],
            vec![("authorization", "Bearer ")],
            vec![("x-api-key", "")],
            vec![("x-api-key", "é")],
        ] {
            assert!(
                matches!(of(&headers), Err(Refusal::Wrong(_))),
                "{headers:?}"
            );
        }
        let long = "x".repeat(20_000);
        assert!(matches!(
            of(&[("x-api-key", &long)]),
            Err(Refusal::Wrong(_))
        ));
    }
}
