//! The secrets that events are signed with (Standard Webhooks): random ones of subscriptions, kept
//! encrypted under the master key, and one for callbacks that is derived from it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;
use uuid::Uuid;

use crate::secret::{Cipher, key_bytes};
use crate::{Error, Store};

/// What secrets are written with in front.
const PREFIX: &str = "whsec_";
/// Bytes of a secret, as the standard has it.
const BYTES_MIN: usize = 24;
const BYTES_MAX: usize = 64;
/// Bytes of one that is made here: those of the hash that uses it.
const BYTES_FRESH: usize = 32;
/// What the secret of callbacks is derived for.
const CALLBACKS: &[u8] = b"stepwell callback_url v1";

/// What a change says of a subscription's secret.
#[derive(Clone, Debug)]
pub enum NewSecret {
    Set(SecretString),
    /// The one that is kept.
    Keep,
}

/// Makes a secret.
#[must_use]
pub fn fresh_secret() -> SecretString {
    let mut bytes = [0; BYTES_FRESH];
    rand::rng().fill_bytes(&mut bytes);
    written(&bytes)
}

fn written(bytes: &[u8]) -> SecretString {
    format!("{PREFIX}{}", STANDARD.encode(bytes)).into()
}

/// Says what is wrong with a secret that somebody chose.
#[must_use]
pub fn secret_fault(secret: &str) -> Option<String> {
    let bytes = secret
        .strip_prefix(PREFIX)
        .and_then(|text| STANDARD.decode(text).ok());
    let well = bytes.is_some_and(|bytes| (BYTES_MIN..=BYTES_MAX).contains(&bytes.len()));
    (!well).then(|| {
        format!(
            "must be {PREFIX} and the base64 of {BYTES_MIN} to {BYTES_MAX} random bytes; leave it out and \
             one is made"
        )
    })
}

/// Decrypts a secret of a subscription.
pub(crate) fn open(
    cipher: Option<&Cipher>,
    id: Uuid,
    stored: &[u8],
) -> Result<SecretString, Error> {
    let cipher = cipher.ok_or_else(|| {
        Error::Corrupt(format!(
            "subscription {id} has a secret, and no master key is set"
        ))
    })?;
    String::from_utf8(cipher.open(id, stored)?)
        .map(SecretString::from)
        .map_err(|_| Error::Corrupt(format!("the secret of subscription {id} is not text")))
}

/// Derives the secret of callbacks: HMAC-SHA256 of a fixed text under the master key.
fn callback_secret(master_key: &SecretString) -> Option<SecretString> {
    // The first key is the one in force.
    let lines = master_key.expose_secret().lines().map(str::trim);
    let key = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .find_map(key_bytes)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(CALLBACKS);
    Some(written(&mac.finalize().into_bytes()))
}

impl Store {
    /// Returns the secret that callbacks are signed with; `None` without a master key.
    #[must_use]
    pub fn callback_secret(&self) -> Option<SecretString> {
        self.options.master_key.as_ref().and_then(callback_secret)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn fresh_ones_are_well_and_differ() {
        let (one, other) = (fresh_secret(), fresh_secret());
        assert_eq!(secret_fault(one.expose_secret()), None);
        assert_ne!(one.expose_secret(), other.expose_secret());
        for wrong in [
            "",
            "whsec_",
            "whsec_dG9vIHNob3J0",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_!",
        ] {
            assert!(secret_fault(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn the_secret_of_callbacks_is_what_openssl_derives() {
        // printf 'stepwell callback_url v1' |
        //   openssl dgst -sha256 -mac HMAC -macopt hexkey:$(printf '5f%.0s' {1..32}) -binary | base64
        let secret = callback_secret(&"5f".repeat(32).into()).unwrap();
        assert_eq!(
            secret.expose_secret(),
            "whsec_78mzEm3xv3yMhYdfOwbg9H2Te+SIzo6eKAJ6iq0B1aY="
        );
    }
}
