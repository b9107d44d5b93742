//! JSON Web Tokens: signed by a secret that is shared (HS256), or by a key that their issuer
//! publishes (RS256, ES256, `EdDSA`). The algorithm decides which of the two is looked at, so that a
//! public key never serves as a shared secret, and `none` is no algorithm.

use crate::clock;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::jwks::Jwks;
use super::{Refusal, Role};

/// Bytes of a shared secret: what HS256 asks for (RFC 7518, 3.2).
pub const SECRET_BYTES_MIN: usize = 32;
/// Seconds that clocks may differ by.
const LEEWAY_SECONDS: u64 = 30;
/// Characters of a subject: it stands in audit records and log lines.
const SUBJECT_CHARS_MAX: usize = 256;

/// Which tokens are accepted.
#[derive(Clone)]
pub struct JwtOptions {
    /// The secret of HS256, at least [`SECRET_BYTES_MIN`] long; absent: HS256 is refused.
    pub secret: Option<SecretString>,
    /// Where the issuer publishes its keys, and who asks; absent: the others are refused.
    pub keys: Option<(Url, reqwest::Client)>,
    pub issuer: String,
    pub audience: String,
    /// The claim with the role: its name, or the way to it with dots between.
    pub role_claim: String,
}

impl std::fmt::Debug for JwtOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JwtOptions")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("role_claim", &self.role_claim)
            .finish_non_exhaustive()
    }
}

/// What a good token says.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) subject: String,
    pub(super) role: Role,
    /// For how long it is still good.
    pub(super) left: Duration,
}

/// Verifies tokens.
pub(super) struct Verifier {
    secret: Option<DecodingKey>,
    keys: Option<Arc<Jwks>>,
    issuer: String,
    audience: String,
    role_claim: String,
}

impl Verifier {
    pub(super) fn new(options: JwtOptions) -> Self {
        Self {
            secret: options
                .secret
                .map(|secret| DecodingKey::from_secret(secret.expose_secret().as_bytes())),
            keys: options
                .keys
                .map(|(url, client)| Arc::new(Jwks::new(url, client))),
            issuer: options.issuer,
            audience: options.audience,
            role_claim: options.role_claim,
        }
    }

    /// Returns what a token says.
    ///
    /// # Errors
    /// A [`Refusal`]: `Wrong` when it is not a good token, `Forbidden` when it names no role,
    /// `Unavailable` when the issuer's keys cannot be had.
    pub(super) async fn verify(&self, token: &str) -> Result<Verified, Refusal> {
        let header = decode_header(token).map_err(|_| wrong("cannot be read"))?;
        // What an extension that must be understood means is not known here (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(wrong("has extensions that are not known"));
        }
        let key = self.key(header.alg, header.kid.as_deref()).await?;
        let mut rules = Validation::new(header.alg);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_nbf = true;
        rules.leeway = LEEWAY_SECONDS;
        let claims = decode::<Map<String, Value>>(token, &key, &rules)
            .map_err(|error| wrong(&why(error.kind())))?
            .claims;
        // A list passes the library's check where one of its issuers is ours, and RFC 7519, 4.1.1, knows no lists.
        if !claims.get("iss").is_some_and(Value::is_string) {
            return Err(wrong("has a claim `iss` of the wrong form"));
        }
        let subject = claims
            .get("sub")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let length = subject.chars().count();
        if !(1..=SUBJECT_CHARS_MAX).contains(&length) || subject.chars().any(is_unseen) {
            return Err(wrong(
                "has a subject that is empty, too long or not plain text",
            ));
        }
        let role = role(&claims, &self.role_claim).ok_or_else(|| {
            Refusal::Forbidden(format!(
                "The claim {:?} of the token names none of viewer, operator and admin.",
                self.role_claim
            ))
        })?;
        Ok(Verified {
            subject: subject.to_owned(),
            role,
            left: left(&claims, clock::host().timestamp()),
        })
    }

    async fn key(&self, algorithm: Algorithm, id: Option<&str>) -> Result<DecodingKey, Refusal> {
        let unknown = || wrong("is signed in a way that is not accepted here");
        match algorithm {
            Algorithm::HS256 => self.secret.clone().ok_or_else(unknown),
            Algorithm::RS256 | Algorithm::ES256 | Algorithm::EdDSA => {
                let keys = self.keys.as_ref().ok_or_else(unknown)?;
                keys.find(algorithm, id)
                    .await
                    .map_err(|error| Refusal::Unavailable(Box::new(error)))?
                    .ok_or_else(|| wrong("is signed by a key that its issuer does not publish"))
            }
            _ => Err(unknown()),
        }
    }
}

/// Says whether a character stands in a list or log line without being seen there, or turns others around: a name with
/// one looks like another's. Controls, separators of lines and what Unicode calls format characters.
fn is_unseen(c: char) -> bool {
    let format = matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    c.is_control() || format
}

/// Returns how long a token is good from `now` on: seconds since 1970, as its `exp`.
fn left(claims: &Map<String, Value>, now: i64) -> Duration {
    let end = claims
        .get("exp")
        .and_then(Value::as_f64)
        .unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "beyond that it saturates")]
    let left = (end as i64).saturating_sub(now);
    Duration::from_secs(
        u64::try_from(left)
            .unwrap_or(0)
            .saturating_add(LEEWAY_SECONDS),
    )
}

fn wrong(what: &str) -> Refusal {
    Refusal::Wrong(format!("The token {what}."))
}

fn why(kind: &ErrorKind) -> String {
    match kind {
        ErrorKind::ExpiredSignature => "has expired".into(),
        ErrorKind::ImmatureSignature => "is not valid yet".into(),
        ErrorKind::InvalidIssuer => "comes from another issuer".into(),
        ErrorKind::InvalidAudience => "is meant for another audience".into(),
        ErrorKind::InvalidSignature => "has a signature that does not fit".into(),
        ErrorKind::MissingRequiredClaim(claim) => format!("has no claim `{claim}`"),
        ErrorKind::InvalidClaimFormat(claim) => format!("has a claim `{claim}` of the wrong form"),
        _ => "cannot be verified".into(),
    }
}

/// Finds the role: a word, or the most that a list of words names.
fn role(claims: &Map<String, Value>, claim: &str) -> Option<Role> {
    // A name may hold dots itself, as those that are URLs do.
    let found = claims.get(claim).or_else(|| {
        let mut parts = claim.split('.');
        let first = claims.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    })?;
    match found {
        Value::String(word) => Role::from_word(word),
        Value::Array(words) => words
            .iter()
            .filter_map(|word| Role::from_word(word.as_str()?))
            .max(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn verifier() -> Verifier {
        Verifier::new(JwtOptions {
            secret: Some(SECRET.to_owned().into()),
            keys: None,
            issuer: "https://issuer".into(),
            audience: "stepwell".into(),
            role_claim: "role".into(),
        })
    }

    fn claims() -> Value {
        json!({"sub": "ada", "iss": "https://issuer", "aud": "stepwell", "role": "operator",
               "exp": clock::host().timestamp() + 60})
    }

    fn signed(claims: &Value, secret: &str) -> String {
        let key = EncodingKey::from_secret(secret.as_bytes());
        encode(&Header::default(), claims, &key).unwrap()
    }

    async fn refused(token: &str) -> String {
        match verifier().verify(token).await.unwrap_err() {
            Refusal::Wrong(text) | Refusal::Forbidden(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_good_token_has_a_subject_and_a_role() {
        let found = verifier().verify(&signed(&claims(), SECRET)).await;
        let found = found.unwrap();
        assert_eq!(
            (found.subject.as_str(), found.role),
            ("ada", Role::Operator)
        );
        let left = found.left.as_secs();
        assert!(
            (80..=90).contains(&left),
            "a minute and the leeway, not {left} s"
        );
    }

    #[tokio::test]
    async fn each_fault_is_told() {
        let now = clock::host().timestamp();
        for (field, value, told) in [
            ("exp", json!(now - 31), "has expired"),
            ("exp", json!("soon"), "`exp`"),
            ("exp", Value::Null, "`exp`"),
            ("nbf", json!(now + 60), "not valid yet"),
            ("iss", json!("https://other"), "another issuer"),
            ("iss", json!(["https://issuer"]), "`iss`"),
            ("iss", json!(["https://other", "https://issuer"]), "`iss`"),
            ("sub", json!("ad\u{202e}a"), "plain text"),
            ("sub", json!("ada\u{200b}"), "plain text"),
            ("sub", json!("ada\u{2028}root"), "plain text"),
            ("iss", Value::Null, "`iss`"),
            ("aud", json!("others"), "another audience"),
            ("sub", Value::Null, "sub"),
            ("sub", json!(""), "subject"),
            ("sub", json!("a\nb"), "subject"),
            ("role", json!("root"), "viewer, operator and admin"),
            ("role", Value::Null, "viewer, operator and admin"),
        ] {
            let mut claims = claims();
            if value.is_null() {
                claims.as_object_mut().unwrap().remove(field);
            } else {
                claims[field] = value;
            }
            let text = refused(&signed(&claims, SECRET)).await;
            assert!(text.contains(told), "{field}: {text}");
        }
        let text = refused(&signed(&claims(), &SECRET.replace('0', "1"))).await;
        assert!(text.contains("signature"), "{text}");
    }

    #[tokio::test]
    async fn no_algorithm_and_other_algorithms_are_refused() {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "None"}),
            json!({"alg": "RS256", "kid": "a"}),
            json!({"alg": "HS512"}),
            json!({"alg": "HS256", "crit": ["exp"]}),
        ] {
            for signature in ["", "AAAA"] {
                let token = format!("{}.{}.{signature}", part(&header), part(&claims()));
                let text = refused(&token).await;
                assert!(!text.contains(SECRET), "{text}");
            }
        }
        for odd in ["a.b", "a.b.c", "....", "é"] {
            refused(odd).await;
        }
    }

    #[test]
    fn a_role_may_lie_deep_or_be_the_most_of_several() {
        let claims =
            json!({"https://x.org/role": "viewer", "realm": {"roles": ["viewer", "admin", "x"]}});
        let claims = claims.as_object().unwrap();
        assert_eq!(role(claims, "https://x.org/role"), Some(Role::Viewer));
        assert_eq!(role(claims, "realm.roles"), Some(Role::Admin));
        assert_eq!(role(claims, "realm"), None);
        assert_eq!(role(claims, "realm.nothing"), None);
    }
}
