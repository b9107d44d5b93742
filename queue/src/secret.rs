//! Secrets at rest: XChaCha20-Poly1305 under a master key, bound to the row they belong to. There
//! may be several master keys: the first encrypts, all of them decrypt, so that a key can be replaced
//! while the processes run.
//!
//! What is stored: one byte for the format, four for the key's id (so that a wrong key is told from
//! a damaged row), 24 of nonce, then the ciphertext.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Error;

const FORMAT: u8 = 1;
const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 4;
const NONCE_BYTES: usize = 24;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;

/// Master keys at once: the one in use, and those that are on their way out.
const KEYS_MAX: usize = 16;

/// Encrypts and decrypts under the master keys.
pub struct Cipher {
    /// Never empty; the first encrypts.
    keys: Vec<MasterKey>,
}

struct MasterKey {
    id: [u8; KEY_ID_BYTES],
    inner: XChaCha20Poly1305,
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ids: Vec<_> = self.keys.iter().map(|key| hex(&key.id)).collect();
        write!(f, "Cipher({})", ids.join(", "))
    }
}

impl Cipher {
    /// Reads master keys, one a line: 32 bytes as 64 hexadecimal digits or as base64. The first
    /// encrypts, the others only decrypt. Lines that begin with `#` are passed over.
    ///
    /// # Errors
    /// A sentence that says what a key looks like; the keys are not in it.
    pub fn new(master_keys: &SecretString) -> Result<Self, String> {
        let lines = master_keys.expose_secret().lines().map(str::trim);
        let keys = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(MasterKey::read)
            .collect::<Option<Vec<_>>>()
            .filter(|keys| (1..=KEYS_MAX).contains(&keys.len()))
            .ok_or(
                "a master key must be 32 bytes, as 64 hexadecimal digits or as base64; \
                 `openssl rand -base64 32` makes one. The first line encrypts, up to 15 more \
                 lines hold older keys",
            )?;
        Ok(Self { keys })
    }

    /// Returns what a row begins with that is encrypted under the first key.
    pub(crate) fn mark(&self) -> Vec<u8> {
        let mut mark = vec![FORMAT];
        mark.extend(self.keys.first().map(|key| key.id).unwrap_or_default());
        mark
    }

    /// Returns the id of the first key, as errors name it.
    #[must_use]
    pub fn key_id(&self) -> String {
        hex(&self.mark()[1..])
    }

    /// Encrypts for the row `owner`: the result is of no use in another row.
    pub(crate) fn seal(&self, owner: Uuid, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let mut nonce = [0; NONCE_BYTES];
        rand::rng().fill_bytes(&mut nonce);
        let payload = Payload {
            msg: plain,
            aad: owner.as_bytes(),
        };
        let key = self
            .keys
            .first()
            .ok_or_else(|| Error::Corrupt("there is no master key".into()))?;
        let sealed = key
            .inner
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Error::Corrupt("a secret could not be encrypted".into()))?;
        let mut stored = Vec::with_capacity(HEAD_BYTES + sealed.len());
        stored.extend_from_slice(&self.mark());
        stored.extend_from_slice(&nonce);
        stored.extend_from_slice(&sealed);
        Ok(stored)
    }

    /// Decrypts what [`Cipher::seal`] made for the same row.
    pub(crate) fn open(&self, owner: Uuid, stored: &[u8]) -> Result<Vec<u8>, Error> {
        let corrupt = |why: &str| Error::Corrupt(format!("the secret of {owner} {why}"));
        if stored.len() < HEAD_BYTES || stored[0] != FORMAT {
            return Err(corrupt("is not in a known format"));
        }
        let key_id = &stored[1..=KEY_ID_BYTES];
        let Some(key) = self.keys.iter().find(|key| key.id == key_id) else {
            let known: Vec<_> = self.keys.iter().map(|key| hex(&key.id)).collect();
            return Err(corrupt(&format!(
                "was encrypted under the master key {}, and the ones at hand are {}; add the \
                 missing one as a further line of the key file",
                hex(key_id),
                known.join(", ")
            )));
        };
        let payload = Payload {
            msg: &stored[HEAD_BYTES..],
            aad: owner.as_bytes(),
        };
        let nonce = XNonce::from_slice(&stored[1 + KEY_ID_BYTES..HEAD_BYTES]);
        key.inner
            .decrypt(nonce, payload)
            .map_err(|_| corrupt("was damaged, or moved from another row"))
    }
}

impl MasterKey {
    fn read(text: &str) -> Option<Self> {
        let key = key_bytes(text)?;
        let digest = Sha256::digest(key);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&digest[..KEY_ID_BYTES]);
        Some(Self {
            id,
            inner: XChaCha20Poly1305::new(&key.into()),
        })
    }
}

/// Reads a key as it is written.
pub(crate) fn key_bytes(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text = text.trim();
    if text.len() == 2 * KEY_BYTES {
        let mut key = [0; KEY_BYTES];
        for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        return Some(key);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Writes bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use super::Cipher;
    use uuid::Uuid;

    fn cipher(digit: &str) -> Cipher {
        Cipher::new(&digit.repeat(64).into()).unwrap()
    }

    #[test]
    fn what_is_sealed_opens_again_in_its_row_alone() {
        let (cipher, row) = (cipher("7"), Uuid::from_u128(1));
        let stored = cipher.seal(row, b"token").unwrap();
        assert!(!stored.windows(5).any(|window| window == b"token"));
        assert_ne!(stored, cipher.seal(row, b"token").unwrap());
        assert_eq!(cipher.open(row, &stored).unwrap(), b"token");
        let error = cipher.open(Uuid::from_u128(2), &stored).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    #[test]
    fn another_key_is_told_from_damage() {
        let row = Uuid::from_u128(1);
        let mut stored = cipher("7").seal(row, b"token").unwrap();
        let error = cipher("8").open(row, &stored).unwrap_err();
        assert!(
            error.to_string().contains("encrypted under the master key"),
            "{error}"
        );
        *stored.last_mut().unwrap() ^= 1;
        assert!(
            cipher("7")
                .open(row, &stored)
                .unwrap_err()
                .to_string()
                .contains("damaged")
        );
        assert!(cipher("7").open(row, b"\x01ab").is_err());
    }

    #[test]
    fn old_keys_decrypt_and_the_first_encrypts() {
        let row = Uuid::from_u128(1);
        let old = cipher("7").seal(row, b"token").unwrap();
        let both = format!("# new\n{}\n\n{}\n", "8".repeat(64), "7".repeat(64));
        let both = Cipher::new(&both.into()).unwrap();
        assert_eq!(both.open(row, &old).unwrap(), b"token");
        assert!(!old.starts_with(&both.mark()));
        let new = both.seal(row, b"token").unwrap();
        assert!(new.starts_with(&both.mark()));
        assert_eq!(cipher("8").open(row, &new).unwrap(), b"token");
        assert!(cipher("7").open(row, &new).is_err());
    }

    #[test]
    fn a_key_is_32_bytes() {
        assert!(
            Cipher::new(
                &"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
                    .to_owned()
                    .into()
            )
            .is_ok()
        );
        for wrong in ["", "short", "AAAA", &"é".repeat(32), &"x".repeat(64)] {
            let error = Cipher::new(&wrong.to_owned().into()).unwrap_err();
            assert!(error.contains("32 bytes"));
        }
    }
}
