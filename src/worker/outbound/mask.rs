//! Credentials that a service repeats in its answer are masked before anybody keeps it.
//!
//! Debug pages and proxies show the headers that they were sent. An answer goes into logs, outputs and the
//! audit trail, for ever and for every viewer; the credentials of an agent are shown to nobody.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use memchr::memmem;
use reqwest::header::{HeaderMap, HeaderValue};

const MASK: &str = "•••";
/// A shorter one stands in many a text by chance, and is no secret.
const SECRET_BYTES_MIN: usize = 6;

/// What must not be kept of one call: credentials, in every shape that they were sent in.
#[derive(Debug, Default)]
pub(super) struct Secrets(Vec<Vec<u8>>);

impl Secrets {
    /// Takes them from the headers that are marked as sensitive.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut secrets = Self::default();
        for value in headers.values().filter(|value| value.is_sensitive()) {
            let value = value.as_bytes();
            let word = value.iter().position(|b| *b == b' ');
            let (scheme, bare) =
                word.map_or((&value[..0], value), |at| (&value[..at], &value[at + 1..]));
            if scheme.eq_ignore_ascii_case(b"basic")
                && let Ok(pair) = STANDARD.decode(bare)
            {
                let password = pair.iter().position(|b| *b == b':');
                secrets.add(password.map_or(&[][..], |at| &pair[at + 1..]));
            }
            secrets.add(bare);
        }
        secrets
    }

    fn add(&mut self, secret: &[u8]) {
        if secret.len() < SECRET_BYTES_MIN {
            return;
        }
        // As JSON writes it, which is longer where it has quotes or backslashes.
        let written = std::str::from_utf8(secret)
            .ok()
            .and_then(|text| serde_json::to_vec(text).ok());
        if let Some(written) = written
            && let Some(inner) = written.get(1..written.len() - 1)
            && inner != secret
        {
            self.0.push(inner.to_vec());
        }
        self.0.push(secret.to_vec());
    }

    /// Returns the body with a mask in place of each.
    pub(super) fn mask(&self, body: Bytes) -> Bytes {
        self.0.iter().fold(body, |body, secret| {
            if memmem::find(&body, secret).is_none() {
                return body;
            }
            let mut masked = Vec::with_capacity(body.len());
            let mut from = 0;
            for at in memmem::find_iter(&body, secret) {
                masked.extend_from_slice(&body[from..at]);
                masked.extend_from_slice(MASK.as_bytes());
                from = at + secret.len();
            }
            masked.extend_from_slice(&body[from..]);
            masked.into()
        })
    }

    /// The same in the values of headers.
    pub(super) fn mask_headers(&self, headers: &mut HeaderMap) {
        for value in headers.values_mut() {
            let masked = self.mask(Bytes::copy_from_slice(value.as_bytes()));
            if masked != value.as_bytes()
                && let Ok(masked) = HeaderValue::from_bytes(&masked)
            {
                *value = masked;
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn masked(header: &str, body: &str) -> String {
        let mut value = HeaderValue::from_str(header).unwrap();
        value.set_sensitive(true);
        let headers = HeaderMap::from_iter([(reqwest::header::AUTHORIZATION, value)]);
        let secrets = Secrets::of(&headers);
        String::from_utf8(
            secrets
                .mask(Bytes::copy_from_slice(body.as_bytes()))
                .to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn whatever_shape_it_has_is_masked() {
        assert_eq!(
            masked(
                "Bearer s3cr3t-token",
                "got Bearer s3cr3t-token, s3cr3t-token"
            ),
            "got Bearer •••, •••"
        );
        assert_eq!(masked("s3cr3t-token", "s3cr3t-token"), "•••");
        // ann:pass"word
        let basic = format!("Basic {}", STANDARD.encode("ann:pass\"word"));
        let body = format!(r#"{{"a":"{basic}","b":"pass\"word"}}"#);
        assert_eq!(masked(&basic, &body), r#"{"a":"Basic •••","b":"•••"}"#);
    }

    #[test]
    fn what_is_short_or_not_there_changes_nothing() {
        assert_eq!(masked("Bearer a", "a banana"), "a banana");
        assert_eq!(masked("Bearer s3cr3t-token", "well"), "well");
    }
}
