//! Tokens that name one attempt and let whoever holds one report for it: signed with a key that the
//! database keeps, so every process knows them and nobody else can make one.
//!
//! A token is 39 bytes of what it says and 16 of HMAC-SHA-256, in base64url.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stepwell_workflow::{StepKey, Time};
use uuid::Uuid;

use crate::detached::Place;
use crate::{Error, Store};

const SAID_BYTES: usize = 39;
const MAC_BYTES: usize = 16;
const CALLBACK: u8 = 1;
const EXTERNAL: u8 = 2;
/// Stands for a step that is no item.
const NO_ITEM: u32 = u32::MAX;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum For {
    /// An agent calls back, until then.
    Callback { until: Time },
    /// Somebody holds this lease of external work.
    External { lease: i32 },
}

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) place: Place,
    pub(crate) purpose: For,
}

/// Makes and reads tokens.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    fn new(key: &[u8]) -> Result<Self, Error> {
        Hmac::new_from_slice(key)
            .map(Self)
            .map_err(|_| Error::Corrupt("the key of tokens cannot be used".into()))
    }

    /// Returns the token by which an agent calls back until a time, to the millisecond.
    #[must_use]
    pub fn callback(&self, place: Place, until: Time) -> String {
        let purpose = For::Callback { until };
        self.write(&Token { place, purpose })
    }

    /// Returns the token of a lease.
    pub(crate) fn external(&self, place: Place, lease: i32) -> String {
        let purpose = For::External { lease };
        self.write(&Token { place, purpose })
    }

    fn write(&self, token: &Token) -> String {
        let Token { place, purpose } = token;
        let (kind, more) = match purpose {
            For::Callback { until } => (CALLBACK, until.timestamp_millis()),
            For::External { lease } => (EXTERNAL, i64::from(*lease)),
        };
        let mut said = Vec::with_capacity(SAID_BYTES + MAC_BYTES);
        said.push(kind);
        said.extend_from_slice(place.run_id.as_bytes());
        said.extend_from_slice(&place.key.step.to_be_bytes());
        said.extend_from_slice(&place.key.item.unwrap_or(NO_ITEM).to_be_bytes());
        said.extend_from_slice(&place.generation.to_be_bytes());
        said.extend_from_slice(&place.attempt.to_be_bytes());
        said.extend_from_slice(&more.to_be_bytes());
        let mac = self.mac(&said).finalize().into_bytes();
        said.extend_from_slice(&mac[..MAC_BYTES]);
        URL_SAFE_NO_PAD.encode(said)
    }

    /// Reads a token; `None` when it is not one of ours.
    pub(crate) fn read(&self, text: &str) -> Option<Token> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        if bytes.len() != SAID_BYTES + MAC_BYTES {
            return None;
        }
        let (said, mac) = bytes.split_at(SAID_BYTES);
        self.mac(said).verify_truncated_left(mac).ok()?;
        let (&kind, rest) = said.split_first()?;
        let (run_id, rest) = rest.split_first_chunk::<16>()?;
        let (step, rest) = rest.split_first_chunk::<2>()?;
        let (item, rest) = rest.split_first_chunk::<4>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (attempt, rest) = rest.split_first_chunk::<4>()?;
        let (more, _) = rest.split_first_chunk::<8>()?;
        let more = i64::from_be_bytes(*more);
        let purpose = match kind {
            CALLBACK => For::Callback {
                until: Time::from_timestamp_millis(more)?,
            },
            EXTERNAL => For::External {
                lease: i32::try_from(more).ok()?,
            },
            _ => return None,
        };
        let item = u32::from_be_bytes(*item);
        Some(Token {
            place: Place {
                run_id: Uuid::from_bytes(*run_id),
                key: StepKey {
                    step: u16::from_be_bytes(*step),
                    item: (item != NO_ITEM).then_some(item),
                },
                generation: i32::from_be_bytes(*generation),
                attempt: u32::from_be_bytes(*attempt),
            },
            purpose,
        })
    }

    fn mac(&self, said: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(said)
    }
}

impl Store {
    /// Returns what makes and reads tokens; the key is read once.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn signer(&self) -> Result<&Signer, Error> {
        let load = async || {
            let key = sqlx::query_scalar!("select key from stepwell.token_key")
                .fetch_optional(&self.pool)
                .await?;
            let key = key.ok_or_else(|| Error::Corrupt("the key of tokens is missing".into()))?;
            Signer::new(&key)
        };
        self.signer.get_or_try_init(load).await
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn place(item: Option<u32>) -> Place {
        Place {
            run_id: Uuid::from_u128(7),
            key: StepKey { step: 3, item },
            generation: 2,
            attempt: 5,
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_of() {
        let signer = Signer::new(&[7; 32]).unwrap();
        let until = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let read = signer.read(&signer.callback(place(None), until)).unwrap();
        assert_eq!(read.place, place(None));
        assert_eq!(read.purpose, For::Callback { until });
        let read = signer.read(&signer.external(place(Some(17)), 4)).unwrap();
        assert_eq!(read.place, place(Some(17)));
        assert_eq!(read.purpose, For::External { lease: 4 });
    }

    #[test]
    fn nobody_else_can_make_one() {
        let signer = Signer::new(&[7; 32]).unwrap();
        let token = signer.external(place(None), 1);
        assert!(Signer::new(&[8; 32]).unwrap().read(&token).is_none());
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for n in 0..bytes.len() {
            bytes[n] ^= 1;
            assert!(
                signer.read(&URL_SAFE_NO_PAD.encode(&bytes)).is_none(),
                "{n}"
            );
            bytes[n] ^= 1;
        }
        for odd in ["", "x", &token[..20], &format!("{token}AA")] {
            assert!(signer.read(odd).is_none(), "{odd}");
        }
    }
}
