//! The public keys that tokens are signed with, as their issuer publishes them (RFC 7517).
//!
//! They are fetched when the first token comes, kept for minutes, and fetched again when a token
//! names a key that is not among them: keys rotate without a restart. However many such tokens come,
//! the issuer is asked at most every few seconds. While the issuer is away the keys at hand go on
//! counting, for an hour.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::Value;
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use crate::limits::KEYS_WAIT_MAX;

/// How old keys may be before they are fetched anew, beside the requests.
const FRESH: Duration = Duration::from_secs(300);
/// How old they may be at all: a key that the issuer has withdrawn counts no longer than this.
const STALE_MAX: Duration = Duration::from_secs(3_600);
/// Between two fetches, whatever tokens come.
const FETCH_EVERY: Duration = Duration::from_secs(5);
/// How long a fetch may take: requests wait for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of the document, and keys in it: issuers publish a handful.
const BYTES_MAX: usize = 256 << 10;
const KEYS_MAX: usize = 100;
/// Characters of an RSA modulus in base64url: 2,048 bits.
const MODULUS_CHARS_MIN: usize = 342;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum JwksError {
    #[error("the keys of tokens cannot be fetched")]
    Fetch(#[source] reqwest::Error),
    #[error("the keys of tokens cannot be fetched: {0}")]
    Answer(String),
}

/// One public key, for one algorithm.
#[derive(Clone)]
struct PublicKey {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

struct Held {
    keys: Vec<PublicKey>,
    since: Instant,
}

/// The keys at one address.
pub(super) struct Jwks {
    url: Url,
    client: reqwest::Client,
    held: RwLock<Option<Arc<Held>>>,
    /// When the last fetch began. Who holds it fetches; the others wait for what comes of it.
    asked: Mutex<Option<Instant>>,
    /// Those that wait, and hold a connection meanwhile.
    waiting: Semaphore,
}

impl std::fmt::Debug for Jwks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Jwks")
            .field("url", &self.url.as_str())
            .finish_non_exhaustive()
    }
}

impl Jwks {
    pub(super) fn new(url: Url, client: reqwest::Client) -> Self {
        Self {
            url,
            client,
            held: RwLock::default(),
            asked: Mutex::default(),
            waiting: Semaphore::new(KEYS_WAIT_MAX),
        }
    }

    /// Finds the key that a token names; without a name, the only one of its algorithm.
    ///
    /// # Errors
    /// [`JwksError`] when there are no keys and none can be had.
    pub(super) async fn find(
        self: &Arc<Self>,
        algorithm: Algorithm,
        id: Option<&str>,
    ) -> Result<Option<DecodingKey>, JwksError> {
        if let Some(held) = self.held() {
            let age = held.since.elapsed();
            if age < STALE_MAX
                && let Some(key) = held.find(algorithm, id)
            {
                if age >= FRESH {
                    let this = Arc::clone(self);
                    tokio::spawn(async move { this.refresh().await });
                }
                return Ok(Some(key));
            }
        }
        let place = self.waiting.try_acquire();
        let place = place.map_err(|_| JwksError::Answer("too many wait for them".into()))?;
        let failed = self.refresh().await.err();
        drop(place);
        match self.held().filter(|held| held.since.elapsed() < STALE_MAX) {
            Some(held) => Ok(held.find(algorithm, id)),
            None => Err(failed.unwrap_or_else(|| {
                JwksError::Answer("the last attempt failed a moment ago".into())
            })),
        }
    }

    fn held(&self) -> Option<Arc<Held>> {
        self.held
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Fetches the keys, unless somebody just did.
    async fn refresh(&self) -> Result<(), JwksError> {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|at| at.elapsed() < FETCH_EVERY) {
            return Ok(());
        }
        *asked = Some(Instant::now());
        let keys = self.fetch().await.inspect_err(|error| {
            tracing::warn!(url = %self.url, error = chain(error), "no keys for tokens");
        })?;
        let held = Held {
            keys,
            since: Instant::now(),
        };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(held));
        Ok(())
    }

    async fn fetch(&self) -> Result<Vec<PublicKey>, JwksError> {
        let request = self.client.get(self.url.clone()).timeout(FETCH_TIMEOUT);
        let mut answer = request.send().await.map_err(JwksError::Fetch)?;
        if !answer.status().is_success() {
            let words = format!("the issuer answered {}", answer.status());
            return Err(JwksError::Answer(words));
        }
        let mut text = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(JwksError::Fetch)? {
            if text.len() + piece.len() > BYTES_MAX {
                return Err(JwksError::Answer(format!(
                    "more than {BYTES_MAX} bytes came"
                )));
            }
            text.extend_from_slice(&piece);
        }
        let document: Value =
            serde_json::from_slice(&text).map_err(|error| JwksError::Answer(error.to_string()))?;
        let listed = document.get("keys").and_then(Value::as_array);
        let listed = listed.ok_or_else(|| JwksError::Answer("there is no list `keys`".into()))?;
        Ok(listed.iter().take(KEYS_MAX).filter_map(read).collect())
    }
}

impl Held {
    fn find(&self, algorithm: Algorithm, id: Option<&str>) -> Option<DecodingKey> {
        let mut fitting = self.keys.iter().filter(|key| {
            key.algorithm == algorithm && id.is_none_or(|id| key.id.as_deref() == Some(id))
        });
        let found = fitting.next()?;
        // Without a name it must be clear which one is meant.
        (id.is_some() || fitting.next().is_none()).then(|| found.key.clone())
    }
}

/// Reads a key that is of use here; others, such as shared secrets, are passed over.
fn read(value: &Value) -> Option<PublicKey> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    let algorithm = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if rsa.n.len() >= MODULUS_CHARS_MIN => Algorithm::RS256,
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            Algorithm::ES256
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            Algorithm::EdDSA
        }
        _ => return None,
    };
    let said = match jwk.common.key_algorithm {
        None => algorithm,
        Some(KeyAlgorithm::RS256) => Algorithm::RS256,
        Some(KeyAlgorithm::ES256) => Algorithm::ES256,
        Some(KeyAlgorithm::EdDSA) => Algorithm::EdDSA,
        Some(_) => return None,
    };
    let signs = matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    );
    (signs && said == algorithm).then_some(())?;
    Some(PublicKey {
        key: DecodingKey::from_jwk(&jwk).ok()?,
        id: jwk.common.key_id,
        algorithm,
    })
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ed(id: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    #[test]
    fn only_keys_of_use_are_read() {
        assert!(read(&ed("a")).is_some());
        let with = |field: &str, value: Value| {
            let mut key = ed("a");
            key[field] = value;
            read(&key)
        };
        assert!(with("use", json!("enc")).is_none());
        assert!(with("alg", json!("RS256")).is_none());
        assert!(with("alg", json!("EdDSA")).is_some());
        assert!(read(&json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"})).is_none());
        assert!(read(&json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})).is_none());
        assert!(read(&json!("odd")).is_none());
    }

    #[test]
    fn a_token_without_a_name_needs_the_only_key() {
        let held = |keys: &[Value]| Held {
            keys: keys.iter().filter_map(read).collect(),
            since: Instant::now(),
        };
        let one = held(&[ed("a")]);
        assert!(one.find(Algorithm::EdDSA, None).is_some());
        assert!(one.find(Algorithm::EdDSA, Some("a")).is_some());
        assert!(one.find(Algorithm::EdDSA, Some("b")).is_none());
        assert!(one.find(Algorithm::RS256, Some("a")).is_none());
        let two = held(&[ed("a"), ed("b")]);
        assert!(two.find(Algorithm::EdDSA, None).is_none());
        assert!(two.find(Algorithm::EdDSA, Some("b")).is_some());
    }
}
